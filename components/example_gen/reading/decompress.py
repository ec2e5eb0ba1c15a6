"""Undoes gzip around a file that is read in many places at once."""

import gzip
import hashlib
import os
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import filelock

from components.errors import UserError
from components.text import one_line, printable

# Pictures are compressed already. Even uncompressed bitmaps shrink less than this; deflate reaches
# 1,032 times.
_LARGEST_EXPANSION = 100
# Small archives of a few uniform bitmaps do reach more, and do no harm.
_HARMLESS_BYTES = 100_000_000
_CHUNK_BYTES = 1 << 20
_MAGIC = b"\x1f\x8b"
_UNFINISHED = ".unfinished-"


def check_expansion(unpacked_bytes: int, packed_bytes: int, shown: str) -> None:
    """Refuses an archive that unpacks to far more than pictures could.

    Args:
        unpacked_bytes: of all that is in it, as far as known.
        packed_bytes: of the archive.
        shown: what messages call it.

    Raises:
        UserError: it is a bomb.
    """
    if unpacked_bytes > _HARMLESS_BYTES + _LARGEST_EXPANSION * packed_bytes:
        raise UserError(
            f"data.source {shown} is a bomb: its {packed_bytes:,} bytes unpack to "
            f"{unpacked_bytes:,} or more, over {_LARGEST_EXPANSION} times as many"
        )


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed by gzip, whatever it is called."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def plain_name(name: str) -> str:
    """What a compressed file is called once it is decompressed."""
    if name.lower().endswith(".tgz"):
        return f"{name[:-4]}.tar"
    return name[:-3] if name.lower().endswith(".gz") else name


def decompressed(source: Path, files: Sequence[Path], workspace: Path) -> Path:
    """Decompresses gzip files in one pass, unless that has been done already.

    Args:
        source: absolute path of the data source that the files are.
        files: its files.
        workspace: folder for the result, made if need be; what an earlier version of the source or
            a killed process left there is removed.

    Returns:
        A folder with the decompressed files: with their `plain_name`, and their times.

    Raises:
        UserError: one is no such file, damaged, cut off or a bomb.
    """
    versions = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    of_source, of_version = (
        hashlib.sha256(repr(text).encode()).hexdigest()[:12] for text in (str(source), versions)
    )
    result = workspace / f"{of_source}-{of_version}"
    if result.is_dir():
        return result
    workspace.mkdir(parents=True, exist_ok=True)
    # Of two runs that want it, one waits for the other.
    with filelock.FileLock(workspace / ".lock"):
        if result.is_dir():
            return result
        for outdated in (*workspace.glob(f"{of_source}-*"), *workspace.glob(f"{_UNFINISHED}*")):
            shutil.rmtree(outdated, ignore_errors=True)  # of an earlier version, or of a killed run
        with tempfile.TemporaryDirectory(dir=workspace, prefix=_UNFINISHED) as unfinished:
            folder = Path(unfinished, "files")
            folder.mkdir()
            for file in files:
                _decompress(file, folder / plain_name(file.name))
            folder.rename(result)
    return result


def _decompress(path: Path, result: Path) -> None:
    shown = printable(str(path))
    status = path.stat()
    try:
        with gzip.open(path) as source, result.open("wb") as file:
            while chunk := source.read(_CHUNK_BYTES):
                file.write(chunk)
                check_expansion(file.tell(), status.st_size, shown)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UserError(
            f"data.source {shown} is no gzip file, damaged or cut off ({one_line(error)}): make or "
            "download it again"
        ) from error
    os.utime(result, ns=(status.st_atime_ns, status.st_mtime_ns))
