"""The pictures that `graft predict` is asked about: files, folders, globs, a list."""

import glob
import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from components.errors import UserError
from components.example_gen.reading import layout, walk
from components.text import printable

# Stands for a list of names on standard input.
LIST = "-"


def expand(arguments: Sequence[str], names: BinaryIO) -> list[str]:
    """Finds the pictures.

    Args:
        arguments: files; folders, whose pictures are taken at any depth; patterns as `*.jpg`, in
            which `**` stands for any folders; `-`: what `names` holds.
        names: a name of a file or folder per line, or each ended by a zero byte, as `find -print0`
            writes them.

    Returns:
        Paths, each once, in the order of the arguments; inside of a folder or pattern sorted. A
        file that was named need not be there.

    Raises:
        UserError: a folder, a pattern or the list holds no picture.
    """
    found = [path for argument in arguments for path in _expanded(argument, names)]
    return list(dict.fromkeys(found))


def _expanded(argument: str, names: BinaryIO) -> list[str]:
    if argument == LIST:
        listed = _listed(names.read())
        if not listed:
            raise UserError("-: the list on standard input is empty")
        return _of_names(listed)
    # Not Path.exists, see _of_names.
    if glob.has_magic(argument) and not os.path.exists(argument):  # noqa: PTH110
        # Not Path.glob, which takes no absolute pattern.
        matching = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207
        if not matching:
            raise UserError(f"{printable(argument)}: no file matches")
        return _of_names(matching)
    return _of_names([argument])


def _listed(content: bytes) -> list[str]:
    ends = b"\0" if b"\0" in content else b"\n"
    lines = content.split(ends)
    if ends == b"\n":
        lines = [line.removesuffix(b"\r") for line in lines]
    return [os.fsdecode(line) for line in lines if line]


def _of_names(names: Sequence[str]) -> list[str]:
    """The named files, and the pictures in named folders, some of which may hold none."""
    found = []
    for name in names:
        # Not Path.is_dir, which fails where nobody may look; the file is then told among the rest.
        found += sorted(_below(name)) if os.path.isdir(name) else [name]  # noqa: PTH112
    if not found:
        raise UserError(
            f"{printable(names[0])}: the folder holds no file that is named as a picture "
            f"({', '.join(sorted(layout.PICTURE_SUFFIXES))})"
        )
    return found


def _below(folder: str) -> Iterator[str]:
    for _, files in walk.folders(folder):
        yield from (entry.path for entry in files if layout.is_picture(entry.name))
