"""Undoes gzip around a file that is read in many places at once."""

import gzip
import hashlib
import os
import uuid
import zlib
from pathlib import Path

from components.errors import UserError
from components.text import one_line, printable

# Pictures are compressed already. Even uncompressed bitmaps shrink less than this; deflate reaches
# 1,032 times.
_LARGEST_EXPANSION = 100
# Small archives of a few uniform bitmaps do reach more, and do no harm.
_HARMLESS_BYTES = 100_000_000
_CHUNK_BYTES = 1 << 20


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


def decompressed(path: Path, workspace: Path, suffix: str) -> Path:
    """Decompresses a gzip file in one pass, unless that has been done already.

    Args:
        path: absolute path of the file.
        workspace: folder for the result, made if need be; what an earlier version of the file left
            there is removed.
        suffix: of the result's name.

    Returns:
        A file with the time of the compressed one.

    Raises:
        UserError: it is no such file, damaged, cut off or a bomb.
    """
    shown = printable(str(path))
    status = path.stat()
    of_path, of_version = (
        hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]
        for text in (str(path), f"{status.st_size} {status.st_mtime_ns}")
    )
    name = f"{of_path}-{of_version}-{path.name.partition('.')[0]}{suffix}"
    result = workspace / name
    if result.exists():
        return result
    workspace.mkdir(parents=True, exist_ok=True)
    unfinished = workspace / f".{name}.{uuid.uuid4().hex}"
    try:
        _decompress(path, unfinished, shown)
        os.utime(unfinished, ns=(status.st_atime_ns, status.st_mtime_ns))
        for outdated in workspace.glob(f"{of_path}-*"):
            outdated.unlink(missing_ok=True)
        unfinished.replace(result)
    finally:
        unfinished.unlink(missing_ok=True)
    return result


def _decompress(path: Path, result: Path, shown: str) -> None:
    packed_bytes = path.stat().st_size
    try:
        with gzip.open(path) as source, result.open("wb") as file:
            while chunk := source.read(_CHUNK_BYTES):
                file.write(chunk)
                check_expansion(file.tell(), packed_bytes, shown)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UserError(
            f"data.source {shown} is no gzip file, damaged or cut off ({one_line(error)}): make or "
            "download it again"
        ) from error
