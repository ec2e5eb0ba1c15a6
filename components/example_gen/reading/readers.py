"""Reads the bytes of one picture after another from a data source; runs inside Beam workers."""

import contextlib
import errno
import functools
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from components.example_gen.inspection.pictures import BadPictureError
from components.example_gen.reading import buckets
from components.example_gen.reading.source import FILES, SLICES, ZIP, Item
from components.text import one_line

Read = Callable[[Item], bytes]

# What zipfile and what it decompresses with raise of damaged bytes.
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError)


def open_reader(kind: str, root: str) -> contextlib.AbstractContextManager[Read]:
    """Opens a data source.

    Args:
        kind: of the source, see `Source.kind`.
        root: of the source, see `Source.root`.

    Returns:
        Context of a function that gives the bytes of an item; it raises a BadPictureError if they
        cannot be had.
    """
    return _READERS[kind](root)


@contextlib.contextmanager
def _files(root: str) -> Iterator[Read]:
    in_bucket = buckets.is_in_bucket(root)
    open_file = buckets.opener(root) if in_bucket else functools.partial(open, mode="rb")

    def read(item: Item) -> bytes:
        if in_bucket and not item.mtime_ns:  # each object store has an error of its own for it
            raise BadPictureError(f"cannot be read: {os.strerror(errno.ENOENT)}")
        try:
            with open_file(os.path.join(root, item.path)) as file:
                return file.read()
        except OSError as error:
            if item.mtime_ns and not isinstance(error, FileNotFoundError | PermissionError):
                raise  # of the disk; what was not there when it was listed has other numbers too
            raise BadPictureError(f"cannot be read: {error.strerror}") from error

    yield read


@contextlib.contextmanager
def _zip(root: str) -> Iterator[Read]:
    with zipfile.ZipFile(root) as archive:
        entries = archive.infolist()

        def read(item: Item) -> bytes:
            try:
                return archive.read(entries[item.position])
            except _DAMAGE as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise  # of the disk; that of damaged bzip2 has no number
                raise BadPictureError(f"damaged in the archive: {one_line(error)}") from error

        yield read


@contextlib.contextmanager
def _slices(root: str) -> Iterator[Read]:
    one_file = Path(root).is_file()

    def read(item: Item) -> bytes:
        file_name, _, _ = item.path.rpartition("#")
        with (Path(root) if one_file else Path(root, file_name)).open("rb") as file:
            file.seek(item.position)
            return file.read(item.size)

    yield read


_READERS = {FILES: _files, ZIP: _zip, SLICES: _slices}
