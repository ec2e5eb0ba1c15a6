"""The folder of served versions: what is in it, and what is served.

<destination>/1780000000/saved_model.pb ...   one version; the highest number is served
<destination>/champion                        optional text file: the version served instead
<destination>/.staging-*                      a push under way, or what a killed one left
"""

import dataclasses
import hashlib
import os
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from components.errors import UserError

SAVED_MODEL_FILE = "saved_model.pb"
CHAMPION_FILE = "champion"
_BLOCK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Version:
    """One served version: a SavedModel in a folder whose name is a UNIX timestamp."""

    name: str
    path: Path
    pushed_at: datetime
    is_champion: bool
    size_bytes: int


def version_numbers(destination: str | os.PathLike) -> list[int]:
    """Numbers of all version folders, ascending, also of those without a SavedModel."""
    try:
        folders = [path for path in Path(destination).iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
    return sorted(int(path.name) for path in folders if _is_number(path.name))


def list_versions(destination: str | os.PathLike) -> list[Version]:
    """Versions that can be served, oldest first; none where the folder does not exist.

    Raises:
        UserError: the file `champion` names a version that is not there.
    """
    folders = [Path(destination) / str(number) for number in version_numbers(destination)]
    folders = [folder for folder in folders if (folder / SAVED_MODEL_FILE).is_file()]
    champion_name = _champion_name(Path(destination), [folder.name for folder in folders])
    return [_version(folder, folder.name == champion_name) for folder in folders]


def champion(destination: str | os.PathLike) -> Version | None:
    """The version that is served: the one named in the file `champion`, else the newest.

    Raises:
        UserError: the file `champion` names a version that is not there.
    """
    return next((version for version in list_versions(destination) if version.is_champion), None)


def content_digest(model: str | os.PathLike) -> str:
    """SHA-256 over the relative names and the bytes of all files of a SavedModel, hexadecimal."""
    digest = hashlib.sha256()
    folder = Path(model)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        digest.update(f"{len(name)}:{name}:{path.stat().st_size}:".encode())
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def check_writable(destination: str | os.PathLike) -> None:
    """Makes the folder if it is missing and proves that files can be written into it.

    Raises:
        UserError: it cannot be made or written.
    """
    try:
        Path(destination).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=destination) as file:
            file.write(b"x")
    except OSError as error:
        raise UserError(
            f"push.destination: cannot write to {destination}: {error.strerror}"
        ) from error


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and str(int(name)) == name


def _champion_name(destination: Path, names: list[str]) -> str | None:
    file = destination / CHAMPION_FILE
    try:
        name = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return names[-1] if names else None
    if name not in names:
        known = ", ".join(names) or "none"
        raise UserError(f"{file} names version {name!r}, which is not there (there are: {known})")
    return name


def _version(folder: Path, is_champion: bool) -> Version:
    return Version(
        name=folder.name,
        path=folder,
        pushed_at=datetime.fromtimestamp(int(folder.name), timezone.utc),
        is_champion=is_champion,
        size_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    )
