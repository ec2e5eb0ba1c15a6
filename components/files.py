"""Writing files that others read."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Opens a local file for writing that is there whole or not at all, also after a power cut.

    It gets the mode that the umask gives, unlike a temporary file. A link stays one, and what it
    leads to is replaced; devices and pipes, as /dev/null, are written to.

    Args:
        path: in a folder that exists.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113
        with open(path, "wb") as file:
            yield file
        return
    path = Path(os.path.realpath(path))
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        if error.filename == str(unfinished):  # whose name says nothing to anybody
            error.filename = str(path)
        raise
    finally:
        with contextlib.suppress(OSError):  # as of a folder that is a file: the error is told
            unfinished.unlink()


def write_atomically(path: str | os.PathLike, content: str | bytes) -> None:
    """Writes a local file so that it is there whole or not at all, see `atomic_file`.

    Args:
        path: in a folder that exists.
        content: bytes, or text to be written as UTF-8.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    with atomic_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def cache_folder() -> Path:
    """Where what was downloaded is kept: `$GRAFT_CACHE`, or else `~/.cache/graft`; absolute."""
    return Path(os.environ.get("GRAFT_CACHE") or "~/.cache/graft").expanduser().absolute()
