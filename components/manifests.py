"""Which files a folder holds: noted when it is whole, compared when it is used again."""

import os
from collections.abc import Mapping
from pathlib import Path


def file_sizes(folder: str | os.PathLike) -> dict[str, int]:
    """Bytes of every file below a folder, by its path in it."""
    root = Path(folder)
    return {
        path.relative_to(root).as_posix(): path.stat().st_size
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def find_damage(folder: str | os.PathLike, sizes: Mapping[str, int]) -> str:
    """Says what became of a folder since its files were noted.

    Args:
        folder: to look at.
        sizes: what `file_sizes` gave when it was whole.

    Returns:
        The first file that is missing or has another size, in a few words; empty if there is none.
        Files that came in addition are no damage.
    """
    for name, size in sizes.items():
        path = Path(folder, name)
        if not os.path.isfile(path):  # noqa: PTH113 (pathlib's may lack permission)
            return f"{name} is missing"
        if (found := path.stat().st_size) != size:
            return f"{name} has {found:,} bytes, not {size:,}"
    return ""
