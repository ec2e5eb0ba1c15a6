"""The folder of served versions: what is in it, and what is served.

<destination>/7/saved_model.pb ...      one version; the highest number is served
<destination>/evidence/7/pushed.json    when version 7 was pushed, and which files it had then
<destination>/evidence/7/provenance.json  what it was made of
<destination>/evidence/7/README.md      its model card
<destination>/evidence/7/...            what the gates left: gates.json, a row per picture, ...
<destination>/evidence/push.lock        held by whoever changes the folder
<destination>/.staging-*                a push under way, or what a killed one left

Servers take only folders whose name is a number for versions, and serve the highest.
"""

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from components.errors import UserError
from components.files import write_atomically
from components.manifests import find_damage

SAVED_MODEL_FILE = "saved_model.pb"
EVIDENCE = "evidence"
# TensorFlow Serving reads a version's number as int64.
HIGHEST_NUMBER = 2**63 - 1
PROVENANCE_FILE = "provenance.json"
EVIDENCE_SIGNATURE = "evidence.sig"
PUSH_FILE = "pushed.json"
# Earlier releases went by it, though no server does.
_CHAMPION_FILE = "champion"
_BLOCK_BYTES = 1 << 20
# Numbers that earlier releases gave: the UNIX time of the push, here from 2001 to 2286.
_TIMESTAMPS = range(10**9, 10**10)


@dataclasses.dataclass(frozen=True)
class Version:
    """One served version: a SavedModel in a folder whose name is a number.

    Attributes:
        name: the number, in digits.
        path: of the folder; of a version in an object store its address.
        is_champion: whether it is the one that is served: the newest.
        size_bytes: of all its files.
        record: of its push; None for versions of earlier releases.
    """

    name: str
    path: Path | str
    is_champion: bool
    size_bytes: int
    record: "PushRecord | None"

    @property
    def pushed_at(self) -> datetime | None:
        """When it was pushed, with a time zone; None where nothing tells."""
        if self.record:
            return self.record.pushed_at
        number = int(self.name)
        return datetime.fromtimestamp(number, timezone.utc) if number in _TIMESTAMPS else None


@dataclasses.dataclass(frozen=True)
class PushRecord:
    """What is noted of a version when it is pushed.

    Attributes:
        pushed_at: with a time zone.
        digest: its `content_digest`.
        sizes: bytes of each of its files.
        files: SHA-256 of each of its files, hexadecimal; empty in earlier releases' records.
        evidence: SHA-256 of each other file of its evidence, hexadecimal, by its path in there.
        republished: the version that it repeats, after a rollback; empty otherwise.
        taken_back: `content_digest` of the version that the rollback replaced; empty otherwise.
        reason: of the rollback, in its user's words.
    """

    pushed_at: datetime
    digest: str
    sizes: dict[str, int]
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    evidence: dict[str, str] = dataclasses.field(default_factory=dict)
    republished: str = ""
    taken_back: str = ""
    reason: str = ""


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
        UserError: there is a file `champion`, or a record of a push is damaged.
    """
    folders = [Path(destination) / str(number) for number in version_numbers(destination)]
    folders = [folder for folder in folders if (folder / SAVED_MODEL_FILE).is_file()]
    _refuse_champion_file(Path(destination))
    return [_version(folder, folder == folders[-1]) for folder in folders]


def find_version(destination: str | os.PathLike, name: str | None = None) -> Version:
    """A version by its number; None: the one that is served.

    Raises:
        UserError: there is no such version, or as of `list_versions`.
    """
    return pick(destination, list_versions(destination), name)


def pick(destination: str | os.PathLike, versions: Sequence[Version], name: str | None) -> Version:
    """A version among those of a destination; see `find_version`.

    Raises:
        UserError: it is not among them.
    """
    if not versions:
        raise UserError(f"nothing is served at {destination} yet")
    if name is None:
        return versions[-1]
    by_name = {version.name: version for version in versions}
    if name not in by_name:
        raise UserError(f"{destination} has no version {name} (there are: {', '.join(by_name)})")
    return by_name[name]


def champion(destination: str | os.PathLike) -> Version | None:
    """The version that is served: the newest.

    Raises:
        UserError: as of `list_versions`.
    """
    return next((version for version in list_versions(destination) if version.is_champion), None)


def served_state(destination: str | os.PathLike) -> ServedState:
    """What is served now.

    Raises:
        UserError: as of `list_versions`.
    """
    served = champion(destination)
    # A version that was removed keeps its number: its evidence stays.
    highest = max([*version_numbers(destination), *_recorded_numbers(destination)], default=0)
    return ServedState(served.name if served else "", highest)


def fingerprint(destination: str | os.PathLike) -> str:
    """Changes when another version is served, or another number is the highest.

    Raises:
        UserError: as of `list_versions`.
    """
    state = served_state(destination)
    digest = content_digest(Path(destination, state.champion)) if state.champion else ""
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


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, hexadecimal, by its path in there."""
    digests = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        digests[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return digests


def evidence_digests(folder: Path) -> dict[str, str]:
    """`file_digests` of a folder of evidence, without the record of the push and what signs it."""
    digests = file_digests(folder)
    return {name: digests[name] for name in digests.keys() - {PUSH_FILE, EVIDENCE_SIGNATURE}}


def write_push_record(folder: Path, record: PushRecord) -> None:
    """Writes the record into a folder of evidence."""
    fields = dataclasses.asdict(record)
    fields["pushed_at"] = record.pushed_at.isoformat()
    write_atomically(folder / PUSH_FILE, json.dumps(fields, indent=2))


def read_push_record(destination: str | os.PathLike, version: str) -> PushRecord | None:
    """What was noted of a version when it was pushed; None for those of earlier releases."""
    file = evidence_folder(destination, version) / PUSH_FILE
    try:
        return parse_push_record(file.read_bytes(), file, version)
    except FileNotFoundError:
        return None


def parse_push_record(content: bytes, file: str | os.PathLike, version: str) -> PushRecord:
    """The record of a push.

    Args:
        content: of its file.
        file: where that lies.
        version: that was pushed.

    Raises:
        UserError: it is damaged.
    """
    try:
        fields = json.loads(content)
        return PushRecord(**{**fields, "pushed_at": datetime.fromisoformat(fields["pushed_at"])})
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{file} is damaged: remove it, and version {version} is known by its files alone"
        ) from error


def taken_back(destination: str | os.PathLike) -> dict[str, str]:
    """The models that a rollback replaced and that have not been served again since.

    Returns:
        By the `content_digest` of a model: the version whose push was the rollback.

    Raises:
        UserError: a record of a push is damaged.
    """
    numbers = map(str, sorted(_recorded_numbers(destination)))
    return withdrawn((number, read_push_record(destination, number)) for number in numbers)


def withdrawn(records: Iterable[tuple[str, PushRecord | None]]) -> dict[str, str]:
    """The models that a rollback replaced and that have not been served again since.

    Args:
        records: of all versions, oldest first, with their numbers.

    Returns:
        As `taken_back`.
    """
    found: dict[str, str] = {}
    for version, record in records:
        if record and record.taken_back:
            found[record.taken_back] = version
        if record:
            found.pop(record.digest, None)
    return found


def find_change(version: Version) -> str:
    """Compares the files of a version with the record of its push.

    Returns:
        What has become of them, in a few words; empty if they are as they were, or if there is no
        record.
    """
    record = version.record
    if record is None:
        return ""
    changed = find_damage(version.path, record.sizes)
    if not changed and record.files:
        found = file_digests(version.path)
        others = [name for name in sorted(found) if found[name] != record.files.get(name)]
        changed = f"{others[0]} is not what was pushed" if others else ""
    if not changed and content_digest(version.path) != record.digest:
        changed = "its files are not those that were pushed"
    return changed


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
    return name.isdecimal() and str(int(name)) == name and int(name) <= HIGHEST_NUMBER


def _recorded_numbers(destination: str | os.PathLike) -> list[int]:
    names = _folder_names(Path(destination) / EVIDENCE)
    return [int(name) for name in names if _is_number(name)]


def _refuse_champion_file(destination: Path) -> None:
    file = destination / _CHAMPION_FILE
    if file.exists():
        raise UserError(
            f"{file} is a file that no server follows, and Graft no longer does: remove it, and "
            "serve an older version with `graft versions rollback`"
        )


def _version(folder: Path, is_champion: bool) -> Version:
    return Version(
        name=folder.name,
        path=folder,
        is_champion=is_champion,
        size_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        record=read_push_record(folder.parent, folder.name),
    )
