"""The option `--output` of commands that draw."""

from pathlib import Path

from components.errors import UserError
from components.text import printable


def check_png(path: Path) -> None:
    """Refuses an output that is not named as a PNG file.

    Raises:
        UserError: it is no PNG.
    """
    if path.suffix.lower() != ".png":
        raise UserError(
            f"--output {printable(str(path))}: what is drawn is a picture, name a file that ends "
            "in .png"
        )
