"""The file that commands draw into."""

from pathlib import Path

from components.errors import UserError
from components.text import printable


def check_png(path: Path, option: str = "--output") -> None:
    """Refuses an output that is not named as a PNG file, or is a folder.

    Args:
        path: of the file.
        option: that names it, for the message.

    Raises:
        UserError: it is no PNG.
    """
    if path.suffix.lower() != ".png" or path.is_dir():
        raise UserError(
            f"{option} {printable(str(path))}: what is drawn is a picture, name a file that ends "
            "in .png"
        )
