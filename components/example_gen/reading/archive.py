"""Zip and tar archives: what they hold, without unpacking a picture."""

import contextlib
import dataclasses
import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from components.errors import UserError
from components.example_gen.reading import walk
from components.example_gen.reading.arrange import arrange
from components.example_gen.reading.decompress import check_expansion, decompressed
from components.example_gen.reading.source import SLICES, ZIP, Item, Source
from components.text import one_line, printable

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")

_ENCRYPTED, _UTF8_NAME = 0x1, 0x800  # flags of a zip's entry
# What zipfile and tarfile raise of damaged bytes; the last where they claim a version of the format
# that there is not.
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, ValueError, NotImplementedError)


@dataclasses.dataclass(frozen=True)
class _Entry:
    """A file or a folder in an archive.

    Attributes:
        name: with forward slashes.
        size: in bytes, unpacked.
        position: see `Item.position`.
        is_folder: it is one.
        strange: what it is instead of a file or a folder, as `a link`; empty if it is neither.
    """

    name: str
    size: int
    position: int
    is_folder: bool
    strange: str = ""


def is_archive(name: str) -> bool:
    """Whether a file claims to be an archive."""
    return name.lower().endswith(SUFFIXES)


def list_archive(path: Path, workspace: Path) -> Source:
    """Lists the pictures in an archive that has one folder of them per class.

    Inside, everything is as in a folder, see `sources.list_folder`. Folders that hold all the rest
    are passed over, and so are hidden files and what operating systems leave.

    A .zip and a .tar are read entry by entry, by as many workers as there are. A .tar.gz is
    unpacked to a .tar first, in one pass that does not scale out.

    Args:
        path: absolute path of the archive.
        workspace: folder for that .tar.

    Raises:
        UserError: it is damaged, encrypted, a bomb, holds what could reach outside of it, or is not
            laid out that way.
    """
    shown = printable(str(path))
    if path.name.lower().endswith("gz"):
        (path,) = decompressed(path, [path], workspace).iterdir()
    kind = ZIP if path.suffix.lower() == ".zip" else SLICES
    try:
        entries = _zip_entries(path, shown) if kind == ZIP else _tar_entries(path)
    except _DAMAGE as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"data.source {shown} is no such archive, damaged or cut off ({one_line(error)}): "
            "make or download it again"
        ) from error
    except OSError as error:
        raise UserError(f"data.source {shown} cannot be read: {error.strerror}") from error
    check_expansion(sum(entry.size for entry in entries), path.stat().st_size, shown)
    found: dict[tuple[str, ...], _Entry] = {}
    folders = []
    for entry in entries:
        parts = _checked_parts(entry, shown)
        if not parts or any(map(walk.is_hidden, parts)):
            continue
        if entry.is_folder:
            folders.append(parts)
        elif found.setdefault(parts, entry) is not entry:
            raise UserError(f"data.source {shown} holds {printable(entry.name)} twice")
    mtime_ns = walk.changed_ns(path.stat())
    items = {
        parts: Item("/".join(parts), "", None, entry.size, mtime_ns, entry.position)
        for parts, entry in found.items()
    }
    return arrange(str(path), shown, kind, items, folders)


def _zip_entries(path: Path, shown: str) -> list[_Entry]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise UserError(f"data.source {shown} is encrypted: expected an archive without password")
    if any(not entry.filename or entry.header_offset < 0 for entry in entries):
        raise zipfile.BadZipFile("an entry has no name, or lies before the beginning")
    if sum(entry.compress_size for entry in entries) > path.stat().st_size:
        raise UserError(
            f"data.source {shown} is a zip bomb: its entries share the same bytes of the archive"
        )
    return [
        _Entry(
            name=name,
            size=entry.file_size,
            position=number,
            is_folder=name.endswith("/"),
            strange=_strange(entry.external_attr >> 16),
        )
        for number, (name, entry) in enumerate(zip(map(_zip_name, entries), entries, strict=True))
    ]


def _zip_name(entry: zipfile.ZipInfo) -> str:
    """The name as it was meant: macOS writes UTF-8 and does not say so, some write backslashes."""
    name = entry.filename
    if not entry.flag_bits & _UTF8_NAME:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _strange(mode: int) -> str:
    """What a Unix mode says of an entry that is no file or folder; empty for those."""
    if stat.S_ISLNK(mode):
        return "a link"
    kind = stat.S_IFMT(mode)  # 0 in archives that were made elsewhere
    return "" if kind in (0, stat.S_IFREG, stat.S_IFDIR) else "a device"


def _tar_entries(path: Path) -> list[_Entry]:
    with tarfile.open(path, "r:") as archive:
        return [
            _Entry(
                name=member.name,
                size=member.size,
                position=member.offset_data,
                is_folder=member.isdir(),
                strange=_strange_member(member),
            )
            for member in archive
        ]


def _strange_member(member: tarfile.TarInfo) -> str:
    if member.isdir() or (member.isreg() and not member.issparse()):
        return ""
    return "a link" if member.issym() or member.islnk() else "a device"


def _checked_parts(entry: _Entry, shown: str) -> tuple[str, ...]:
    """The folders and the name of an entry.

    Raises:
        UserError: it leads out of the archive, or is a link or a device.
    """
    if entry.strange:
        raise UserError(
            f"data.source {shown} holds {entry.strange}, {printable(entry.name)}: expected files "
            "and folders alone"
        )
    path = PurePosixPath(entry.name)
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(entry.name).drive:
        raise UserError(
            f"data.source {shown} holds {printable(entry.name)}, which leads out of it: expected "
            "names inside the archive"
        )
    return path.parts
