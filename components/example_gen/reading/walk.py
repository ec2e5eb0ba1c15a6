"""Walks folders as people leave them: hidden clutter, circular links, names not in UTF-8."""

import os
from collections.abc import Container, Iterator
from pathlib import Path

from components.errors import UserError
from components.text import printable

_CLUTTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})

# Pictures that people sort lie a few folders deep; what is deeper was made by a mistake, and its
# paths soon are too long for the operating system.
_DEEPEST = 100


def to_utf8(path: str) -> str:
    """The path as valid UTF-8: bytes that are not become the replacement character U+FFFD."""
    return os.fsencode(path).decode("utf-8", errors="replace")


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or something that an operating system leaves."""
    return name.startswith(".") or name.lower() in _CLUTTER


def visible(folder: str) -> list[os.DirEntry]:
    """Files and folders inside, sorted, without hidden ones and what operating systems leave."""
    with os.scandir(folder) as entries:
        return sorted(
            (entry for entry in entries if not is_hidden(entry.name)),
            key=lambda entry: os.fsencode(entry.name),
        )


def folders(
    top: str, left_out: Container[tuple[int, int]] = ()
) -> Iterator[tuple[str, list[os.DirEntry]]]:
    """A folder and all visible ones below it, each once, so that links cannot make a circle.

    Args:
        top: the folder to begin with.
        left_out: identities of folders that are passed over, with what is below them.

    Yields:
        Path of a folder, and the visible files in it.

    Raises:
        UserError: folders are nested too deep.
    """
    seen = set()
    unread = [(top, 0)]
    while unread:
        folder, depth = unread.pop()
        key = identity(folder)
        if key in seen or key in left_out:
            continue
        seen.add(key)
        if depth > _DEEPEST:
            raise UserError(
                f"folders are nested more than {_DEEPEST} deep in {printable(top)}: move the "
                "pictures up"
            )
        files = []
        for entry in visible(folder):
            if is_folder(entry):
                unread.append((entry.path, depth + 1))
            else:
                files.append(entry)
        yield folder, files


def is_folder(entry: os.DirEntry) -> bool:
    """Whether it is a folder or a link to one; `DirEntry.is_dir` fails on a link to itself."""
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry.path).is_dir())


def identity(folder: str | os.PathLike) -> tuple[int, int]:
    """What tells a folder apart, by whichever path it was reached."""
    status = Path(folder).stat()
    return status.st_dev, status.st_ino


def changed_ns(status: os.stat_result) -> int:
    """When a file was changed, in nanoseconds; never 0, which tells that there is no file."""
    return status.st_mtime_ns or 1
