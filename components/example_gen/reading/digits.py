"""The built-in data source: the handwritten digits that ship inside scikit-learn, as PNG files."""

import os
import shutil
import struct
import uuid
import zlib
from pathlib import Path

# Files of equal bytes and times on every machine give equal image ids, splits and cache keys.
_MTIME = 946_684_800  # 2000-01-01, seconds since 1970


def write_digits(workspace: str | os.PathLike) -> Path:
    """Writes `sklearn.datasets.load_digits` as `digits/<class>/<index>.png`, if not there yet.

    1,797 grey pictures of 8 x 8 pixels in ten classes. Several processes may call this at once.

    Args:
        workspace: Folder for `digits/`; made if missing.

    Returns:
        The folder `digits/`.
    """
    folder = Path(workspace) / "digits"
    if folder.exists():
        return folder

    from sklearn.datasets import load_digits

    # Only a complete folder ever gets the final name.
    unfinished = Path(workspace) / f".digits-{uuid.uuid4().hex}"
    pictures, labels = load_digits(return_X_y=True)
    for index, (pixels, label) in enumerate(zip(pictures, labels, strict=True)):
        path = unfinished / str(label) / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_grey_png([(int(value) * 255 + 8) // 16 for value in pixels], width=8))
        os.utime(path, (_MTIME, _MTIME))
    try:
        unfinished.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        shutil.rmtree(unfinished)  # another process was faster
    return folder


def _grey_png(pixels: list[int], width: int) -> bytes:
    """Encodes an 8-bit grey picture as a PNG, to the same bytes everywhere and for ever.

    A picture's id is the hash of its file, and its split comes from the id. Pillow would write
    fewer lines of code, but it chooses a filter for each row (other bytes for 1,712 of the 1,797
    pictures, even uncompressed), and how it chooses is its own affair.

    Args:
        pixels: 0..255, row by row.
        width: pixels per row.

    Returns:
        A PNG without row filters and, as zlib's versions compress differently, uncompressed.
    """
    rows = [pixels[start : start + width] for start in range(0, len(pixels), width)]
    header = struct.pack(">IIBBBBB", width, len(rows), 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), level=0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
