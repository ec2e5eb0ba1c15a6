"""Writing files that others read."""

import os
import uuid
from pathlib import Path


def write_atomically(path: str | os.PathLike, content: str | bytes) -> None:
    """Writes a local file so that it is there whole or not at all.

    It gets the mode that the umask gives, unlike a temporary file.

    Args:
        path: in a folder that exists.
        content: bytes, or text to be written as UTF-8.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
