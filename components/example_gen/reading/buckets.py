"""Data sources in object stores, `s3://` and `gs://`, read through Beam's filesystems."""

import contextlib
import dataclasses
import functools
import glob
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import filelock

from components.errors import UserError, is_disk_full
from components.example_gen.reading import remote, walk
from components.example_gen.reading.arrange import arrange
from components.example_gen.reading.source import FILES, Item, Source
from components.files import atomic_file
from components.text import one_line, printable


def _finds_aws_credentials() -> bool:
    import boto3

    return boto3.session.Session().get_credentials() is not None


def _finds_google_credentials() -> bool:
    import google.auth
    import google.auth.exceptions

    try:
        google.auth.default()
    except google.auth.exceptions.DefaultCredentialsError:
        return False
    return True


@dataclasses.dataclass(frozen=True)
class _Store:
    """What an object store needs.

    Attributes:
        extra: Graft's and Beam's extra that reads it.
        has_credentials: whether there are any; raises an ImportError without the extra.
        credentials: where they are looked for.
    """

    extra: str
    has_credentials: Callable[[], bool]
    credentials: str


_STORES = {
    "s3": _Store(
        "aws",
        _finds_aws_credentials,
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a profile in ~/.aws; "
        "AWS_ENDPOINT_URL names another server than Amazon's",
    ),
    "gs": _Store(
        "gcp",
        _finds_google_credentials,
        "run `gcloud auth application-default login`, or name a key file in "
        "GOOGLE_APPLICATION_CREDENTIALS",
    ),
}


def is_in_bucket(source: str) -> bool:
    """Whether a source lies in an object store."""
    return source.partition("://")[0] in _STORES and "://" in source


def list_bucket_folder(address: str) -> Source:
    """Lists a folder that has one folder of pictures per class, as `sources.list_folder` does.

    Raises:
        UserError: it cannot be read, or is not laid out that way.
    """
    root = address.rstrip("/")
    found = {}
    for name, (size, mtime_ns) in listing(root).items():
        parts = tuple(name.split("/"))
        if parts[-1] and not any(map(walk.is_hidden, parts)):
            found[parts] = Item(name, "", None, size, mtime_ns)
    return arrange(root, printable(address), FILES, found)


def listing(root: str) -> dict[str, tuple[int, int]]:
    """Size in bytes and time of the last change in nanoseconds of all objects below a folder.

    Args:
        root: address without a slash at its end.

    Returns:
        Both by path relative to the folder.

    Raises:
        UserError: it cannot be read.
    """
    return {
        path.removeprefix(f"{root}/"): (size, mtime_ns)
        for path, size, mtime_ns in _matching(f"{root}/**", root)
    }


def read(address: str) -> bytes:
    """The content of an object.

    Raises:
        UserError: it cannot be read.
    """
    with _told(address), opener(address)(address) as file:
        return file.read()


def opener(root: str) -> Callable[[str], BinaryIO]:
    """A function that opens the objects below an address, for one thread."""
    if root.startswith("s3://"):
        from apache_beam.io.aws.s3io import S3IO
        from apache_beam.options.pipeline_options import PipelineOptions

        # Beam's file system makes a client for every object, which takes longer than to read it.
        return S3IO(options=PipelineOptions([])).open
    from apache_beam.io.filesystem import CompressionTypes

    return functools.partial(_filesystems().open, compression_type=CompressionTypes.UNCOMPRESSED)


def size_and_time(address: str) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds of an object.

    Raises:
        UserError: it is not there, or cannot be asked for.
    """
    found = _matching(address, address)
    if not found:
        raise UserError(f"data.source {printable(address)} does not exist")
    ((_, size, mtime_ns),) = found
    return size, mtime_ns


def fetch(address: str, sha256: str | None) -> Path:
    """Copies an object to this machine, unless that has been done since it was changed.

    It is kept where downloads are, see `remote.fetch`.

    Args:
        address: of one object.
        sha256: its digest, as 64 hexadecimal digits; None: it is not checked.

    Returns:
        Absolute path of the file, under its own name.

    Raises:
        UserError: it cannot be read, or is another one than `sha256` says.
    """
    size, mtime_ns = size_and_time(address)
    state = hashlib.sha256(f"{address} {size} {mtime_ns}".encode()).hexdigest()
    path = remote.kept_at(address, sha256 or state)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.parent / ".lock"), _told(address):
        if not path.exists():
            for left in path.parent.glob(f".{glob.escape(path.name)}.*"):  # by a killed run
                left.unlink()
            with opener(address)(address) as source, atomic_file(path) as file:
                digest = hashlib.sha256()
                while chunk := source.read(1 << 20):
                    digest.update(chunk)
                    file.write(chunk)
                # Before the file gets its name, by which later runs take it unseen.
                if sha256 and digest.hexdigest() != sha256:
                    raise UserError(
                        f"data.sha256 is {sha256}, but {printable(address)} has "
                        f"{digest.hexdigest()}: correct whichever is wrong"
                    )
            os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def _matching(pattern: str, address: str) -> list[tuple[str, int, int]]:
    """Address, size and time in nanoseconds of all objects that match."""
    if any(character in address for character in "*?["):
        raise UserError(
            f"data.source {printable(address)} has one of *, ? and [ in it, which stand for other "
            "characters there: name the folder itself"
        )
    with _told(address):
        (found,) = _filesystems().match([pattern])
        return [
            (entry.path, entry.size_in_bytes, int(entry.last_updated_in_seconds * 10**9))
            for entry in found.metadata_list
        ]


def _filesystems():
    """Beam's, which ask for options also outside of a pipeline. Each pipeline sets its own."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    FileSystems.set_options(PipelineOptions([]))
    return FileSystems


@contextlib.contextmanager
def _told(address: str) -> Iterator[None]:
    """Turns what the clients of object stores raise into one line that says what to do.

    They retry for minutes without credentials, and call it by many names: so these come first.
    """
    store = _STORES[address.partition("://")[0]]
    shown = f"data.source {printable(address)}"
    try:
        found = store.has_credentials()
    except ImportError as error:
        raise UserError(
            f"{shown}: to read it, install Graft's extra {store.extra} (pip install "
            f"'apache-beam[{store.extra}]')"
        ) from error
    if not found:
        raise UserError(f"{shown}: no credentials were found: {store.credentials}")
    try:
        yield
    except Exception as error:  # each store's client has its own
        if isinstance(error, UserError) or is_disk_full(error):  # of this machine
            raise
        raise UserError(
            f"{shown} cannot be read ({one_line(error)}): check the address and what your "
            "credentials may read"
        ) from error
