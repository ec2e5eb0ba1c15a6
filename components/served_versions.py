"""The folder of served versions: what is in it, and what is served.

<destination>/7/saved_model.pb ...      one version; the highest number is served
<destination>/champion                  optional text file: the version served instead
<destination>/evidence/7/pushed.json    when version 7 was pushed, and which files it had then
<destination>/evidence/7/...            what the gates left, such as a row per picture
<destination>/evidence/push.lock        held by a push under way
<destination>/.staging-*                a push under way, or what a killed one left

Servers take only folders whose name is a number for versions.
"""

import dataclasses
import hashlib
import json
import os
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from components.errors import UserError

SAVED_MODEL_FILE = "saved_model.pb"
CHAMPION_FILE = "champion"
EVIDENCE = "evidence"
# TensorFlow Serving reads a version's number as int64.
HIGHEST_NUMBER = 2**63 - 1
_PUSH_FILE = "pushed.json"
_BLOCK_BYTES = 1 << 20
# Numbers that earlier releases gave: the UNIX time of the push, here from 2001 to 2286.
_TIMESTAMPS = range(10**9, 10**10)


@dataclasses.dataclass(frozen=True)
class Version:
    """One served version: a SavedModel in a folder whose name is a number.

    Attributes:
        name: the number, in digits.
        path: of the folder.
        pushed_at: None where nothing tells the time.
        is_champion: whether it is the one that is served.
        size_bytes: of all its files.
    """

    name: str
    path: Path
    pushed_at: datetime | None
    is_champion: bool
    size_bytes: int


@dataclasses.dataclass(frozen=True)
class PushRecord:
    """What is noted of a version when it is pushed.

    Attributes:
        pushed_at: with a time zone.
        digest: its `content_digest`.
        sizes: bytes of each of its files.
    """

    pushed_at: datetime
    digest: str
    sizes: dict[str, int]


@dataclasses.dataclass(frozen=True)
class ServedState:
    """What a destination served at one moment: what a push is compared and swapped with.

    Attributes:
        champion: name of the version that is served; empty if none is.
        highest: the highest number that a version has or had; 0 if there was none.
    """

    champion: str
    highest: int

    def __str__(self) -> str:
        served = f"version {self.champion}" if self.champion else "no version"
        older = self.highest and self.champion != str(self.highest)
        return f"{served} (highest: {self.highest})" if older else served


def version_numbers(destination: str | os.PathLike) -> list[int]:
    """Numbers of all version folders, ascending, also of those without a SavedModel."""
    return sorted(int(name) for name in _folder_names(Path(destination)) if _is_number(name))


def misnamed_versions(destination: str | os.PathLike) -> list[str]:
    """Names of folders that look like a version's and are none, such as numbers too large."""
    names = _folder_names(Path(destination))
    return sorted(name for name in names if name.isdecimal() and not _is_number(name))


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


def served_state(destination: str | os.PathLike) -> ServedState:
    """What is served now.

    Raises:
        UserError: the file `champion` names a version that is not there.
    """
    served = champion(destination)
    # A version that was removed keeps its number: its evidence stays.
    pushed = [int(name) for name in _folder_names(Path(destination) / EVIDENCE) if _is_number(name)]
    highest = max([*version_numbers(destination), *pushed], default=0)
    return ServedState(served.name if served else "", highest)


def fingerprint(destination: str | os.PathLike) -> str:
    """Changes when another version is served, or another number is the highest.

    Raises:
        UserError: the file `champion` names a version that is not there.
    """
    served = champion(destination)
    digest = content_digest(served.path) if served else ""
    state = served_state(destination)
    return f"{state.champion} {state.highest} {digest}"


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


def evidence_folder(destination: str | os.PathLike, version: str) -> Path:
    """Where the evidence of a version lies: not inside it, where servers load what there is."""
    return Path(destination) / EVIDENCE / version


def write_push_record(folder: Path, record: PushRecord) -> None:
    """Writes the record into a folder of evidence."""
    fields = dataclasses.asdict(record)
    fields["pushed_at"] = record.pushed_at.isoformat()
    (folder / _PUSH_FILE).write_text(json.dumps(fields, indent=2), encoding="utf-8")


def read_push_record(destination: str | os.PathLike, version: str) -> PushRecord | None:
    """What was noted of a version when it was pushed; None for those of earlier releases."""
    file = evidence_folder(destination, version) / _PUSH_FILE
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        return PushRecord(**{**fields, "pushed_at": datetime.fromisoformat(fields["pushed_at"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{file} is damaged: remove it, and version {version} is known by its files alone"
        ) from error


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


def _folder_names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []


def _is_number(name: str) -> bool:
    if not (name.isascii() and name.isdecimal()):
        return False
    return str(int(name)) == name and int(name) <= HIGHEST_NUMBER


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
        pushed_at=_pushed_at(folder),
        is_champion=is_champion,
        size_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    )


def _pushed_at(folder: Path) -> datetime | None:
    record = read_push_record(folder.parent, folder.name)
    if record:
        return record.pushed_at
    number = int(folder.name)
    return datetime.fromtimestamp(number, timezone.utc) if number in _TIMESTAMPS else None
