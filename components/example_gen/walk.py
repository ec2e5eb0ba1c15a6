"""Walks folders as people leave them: hidden clutter, circular links, names not in UTF-8."""

import os
from collections.abc import Iterator
from pathlib import Path

_CLUTTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


def printable(path: str) -> str:
    """The path as valid UTF-8: bytes that are not become the replacement character."""
    return os.fsencode(path).decode("utf-8", errors="replace")


def visible(folder: str) -> list[os.DirEntry]:
    """Files and folders inside, sorted, without hidden ones and what operating systems leave."""
    with os.scandir(folder) as entries:
        return sorted(
            (e for e in entries if not e.name.startswith(".") and e.name.lower() not in _CLUTTER),
            key=lambda entry: os.fsencode(entry.name),
        )


def files(folder: str, seen: set[tuple[int, int]]) -> Iterator[os.DirEntry]:
    """All visible files below the folder; each folder once, so that links cannot make a circle."""
    key = identity(folder)
    if key in seen:
        return
    seen.add(key)
    for entry in visible(folder):
        if is_folder(entry):
            yield from files(entry.path, seen)
        else:
            yield entry


def is_folder(entry: os.DirEntry) -> bool:
    """Whether it is a folder or a link to one; `DirEntry.is_dir` fails on a link to itself."""
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry.path).is_dir())


def identity(folder: str | os.PathLike) -> tuple[int, int]:
    """What tells a folder apart, by whichever path it was reached."""
    status = Path(folder).stat()
    return status.st_dev, status.st_ino
