"""Digests that change when files do, for cache keys."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def files_fingerprint(path: Path) -> str:
    """SHA-256 over names, sizes and times of a file or of the files in a folder, hexadecimal."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        status = file.stat()
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def labels_fingerprint(labels: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over ids of pictures and their labels, whatever their order, hexadecimal."""
    lines = "".join(f"{image_id} {label}\n" for image_id, label in sorted(set(labels)))
    return hashlib.sha256(lines.encode()).hexdigest()
