"""Where served versions live: a folder, or an address in an object store. One way to ask either.

For folders these are `served_versions`, for addresses `bucket`; the words are the former's. What a
caller has to have as files is copied for it: a version's model by `copy_model`, its evidence by
`open_evidence`.
"""

import contextlib
import dataclasses
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from components import served_versions
from components.bucket import Bucket
from components.errors import UserError
from components.files import cache_folder, write_atomically
from components.object_store import SCHEME, StoreError, checked_address
from components.served_versions import PushRecord, ServedState, Version

Destination = str | os.PathLike
"""A folder or s3://bucket/prefix. An address is never a Path, which would take one slash off it."""


def is_bucket(destination: Destination) -> bool:
    """Whether a destination lies in an object store."""
    return isinstance(destination, str) and destination.startswith(SCHEME)


def checked(destination: str) -> str:
    """A destination as all parts of Graft write it.

    Raises:
        UserError: it is an address that models cannot be pushed to.
    """
    if is_bucket(destination):
        return checked_address(destination)
    if destination.startswith("gs://"):
        raise UserError(
            f"{destination}: pictures may lie there, served versions may not: a push is a "
            "conditional write as S3's protocol has it; use s3:// (AWS_ENDPOINT_URL names a store "
            "other than Amazon's) or a folder"
        )
    if "://" in destination:
        raise UserError(f"must be a folder or s3://BUCKET/FOLDER, not a URL such as {destination}")
    return destination


def absolute(destination: Path | str) -> str:
    """A destination that does not depend on the working directory."""
    return destination if is_bucket(destination) else str(Path(destination).absolute())


def place_of(destination: Path | str, version: str) -> str:
    """Path of a version's folder, or the address that KServe's `storageUri` takes."""
    return f"{destination}/{version}"


def check_readable(destination: Destination) -> None:
    """Proves that an object store answers; of a folder nothing has to be proved.

    Raises:
        UserError: what lies there is none of Graft's.
        StoreError: it does not answer, or refuses.
    """
    if is_bucket(destination):
        with _named():
            Bucket(destination).current()


def check_writable(destination: Destination) -> None:
    """Proves that something can be written there, and makes a folder that is missing.

    Raises:
        UserError: a folder cannot be made or written.
        StoreError: there is no such bucket, or no right to write to it.
    """
    if is_bucket(destination):
        with _named():
            Bucket(destination).check_writable()
    else:
        served_versions.check_writable(destination)


def list_versions(destination: Destination) -> list[Version]:
    """Versions that can be served, oldest first; see `served_versions.list_versions`."""
    if is_bucket(destination):
        return list(Bucket(destination).versions())
    return served_versions.list_versions(destination)


def find_version(destination: Destination, name: str | None = None) -> Version:
    """A version by its number; None: the one that is served.

    Raises:
        UserError: there is none, or as of `list_versions`.
    """
    return served_versions.pick(destination, list_versions(destination), name)


def champion(destination: Destination) -> Version | None:
    """The version that is served; None before the first."""
    if is_bucket(destination):
        return Bucket(destination).champion()
    return served_versions.champion(destination)


def served_digest(destination: Destination) -> tuple[str, str]:
    """Number and `content_digest` of the version that is served; both empty before the first."""
    if is_bucket(destination):
        current = Bucket(destination).current()
        return (str(current.version), current.digest) if current else ("", "")
    served = served_versions.champion(destination)
    return (served.name, served_versions.content_digest(served.path)) if served else ("", "")


def served_state(destination: Destination) -> ServedState:
    """What is served now: what a push is compared and swapped with."""
    if is_bucket(destination):
        return Bucket(destination).served_state()
    return served_versions.served_state(destination)


def fingerprint(destination: Destination) -> str:
    """Changes when another version is served, or another number is the highest."""
    if not is_bucket(destination):
        return served_versions.fingerprint(destination)
    name, digest = served_digest(destination)
    return f"{name} {name or 0} {digest}"


def read_push_record(destination: Destination, version: str) -> PushRecord | None:
    """What was noted of a version when it was pushed; None if nothing was."""
    if is_bucket(destination):
        return Bucket(destination).push_record(version)
    return served_versions.read_push_record(destination, version)


def taken_back(destination: Destination) -> dict[str, str]:
    """The models that a rollback replaced; see `served_versions.taken_back`."""
    if not is_bucket(destination):
        return served_versions.taken_back(destination)
    bucket = Bucket(destination)
    current = bucket.current()
    numbers = map(str, current.served if current else ())
    return served_versions.withdrawn((number, bucket.push_record(number)) for number in numbers)


def version_before(destination: Destination) -> Version | None:
    """The newest version that a rollback goes to unless it is told which; None: there is none.

    It holds another model than the one that is served, and one that no rollback has taken back.
    """
    out = {*taken_back(destination), served_digest(destination)[1]}
    older = (one for one in reversed(list_versions(destination)) if not one.is_champion)
    return next((one for one in older if _digest(one) not in out), None)


def _digest(version: Version) -> str:
    if version.record:
        return version.record.digest
    return served_versions.content_digest(version.path)


def copy_model(destination: Destination, version: str, folder: Path) -> None:
    """Copies the SavedModel of a version into a folder that does not exist yet."""
    if is_bucket(destination):
        Bucket(destination).download_model(version, folder)
    else:
        shutil.copytree(Path(destination) / version, folder)


def local_champion(destination: Destination) -> Path | None:
    """Folder with the model that is served; from a store it is downloaded once, and kept.

    Returns:
        None before the first version.

    Raises:
        UserError: what was downloaded is not what was pushed.
    """
    if not is_bucket(destination):
        served = served_versions.champion(destination)
        return Path(served.path) if served else None
    name, digest = served_digest(destination)
    if not name:
        return None
    folder = cache_folder() / "served" / digest
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as staging:
            copy = Path(staging) / name
            copy_model(destination, name, copy)
            if served_versions.content_digest(copy) != digest:
                place = place_of(destination, name)
                raise UserError(f"{place} is damaged: its files are not those that were pushed")
            try:
                copy.rename(folder)
            except OSError:  # another process was faster
                if not folder.exists():
                    raise
    return folder


@contextlib.contextmanager
def open_version(
    destination: Destination, version: Version, only: Collection[str] = ()
) -> Iterator[Version]:
    """The version with its files on this machine, or at least those, as long as the block lasts."""
    if not is_bucket(destination):
        yield version
        return
    with tempfile.TemporaryDirectory(prefix="graft-version-") as folder:
        copy = Path(folder) / version.name
        Bucket(destination).download_model(version.name, copy, only)
        yield dataclasses.replace(version, path=copy)


@contextlib.contextmanager
def open_evidence(
    destination: Destination, version: str, only: Collection[str] = ()
) -> Iterator[Path]:
    """The folder of a version's evidence, or a copy of it or of those files, for the block."""
    if not is_bucket(destination):
        yield served_versions.evidence_folder(destination, version)
        return
    with tempfile.TemporaryDirectory(prefix="graft-evidence-") as folder:
        Bucket(destination).download_evidence(version, Path(folder), only)
        yield Path(folder)


def note(destination: Destination, name: str, text: str) -> None:
    """Writes a file of evidence that belongs to no version.

    Raises:
        OSError: it cannot be written.
    """
    name = f"{served_versions.EVIDENCE}/{name}"
    if is_bucket(destination):
        Bucket(destination).store.write(name, text.encode())
        return
    file = Path(destination) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, text)


def noted(destination: Destination, folder: str) -> list[str]:
    """Names of the files that `note` wrote into a folder."""
    folder = f"{served_versions.EVIDENCE}/{folder}"
    if is_bucket(destination):
        return list(Bucket(destination).store.sizes(folder))
    return [path.name for path in (Path(destination) / folder).glob("[!.]*")]


def refuse_bucket(destination: Destination, command: str, instead: str) -> None:
    """Stops a command that works on a folder alone.

    Raises:
        UserError: the destination lies in an object store.
    """
    if is_bucket(destination):
        raise UserError(f"push.destination: {command} wants a folder, not {destination}: {instead}")


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """Names the setting beside what a store said."""
    try:
        yield
    except StoreError as error:
        raise StoreError(f"push.destination: {error}") from error
