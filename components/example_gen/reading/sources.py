"""Lists the pictures of a data source and their classes, without opening a single one."""

import hashlib
import os
from pathlib import Path

from components import features
from components.errors import UserError
from components.example_gen.config import DataSettings
from components.example_gen.reading import (
    archive,
    buckets,
    digits,
    layout,
    manifest,
    remote,
    tfrecord,
    walk,
)
from components.example_gen.reading.source import Item, Source
from components.heif import HEIF_NEEDED, reads_heif
from components.text import printable

DIGITS = "digits"
_DEFAULTS = DataSettings()

_UNLABELLED_LAYOUT = "a folder of pictures, with or without folders in it"


def open_source(
    source: str, workspace: str | os.PathLike, settings: DataSettings = _DEFAULTS
) -> Source:
    """Lists the pictures of any kind of data source.

    Args:
        source: `digits`, a folder (`./digits` for a folder of that name), an archive, a manifest, a
            TFRecord or a folder of them, the URL of an archive or a TFRecord, or the address of a
            folder, archive, manifest or TFRecord in an object store.
        workspace: Local folder for what a source has to write before it can be listed.
        settings: How to read it; its own `source` is not looked at.

    Raises:
        UserError: If the source is missing or is not laid out as its kind should be.
    """
    listed = _open(source, workspace, settings)
    _check_heif(listed)
    return listed


def _open(source: str, workspace: str | os.PathLike, settings: DataSettings) -> Source:
    if source == DIGITS:
        return list_folder(digits.write_digits(workspace))
    if buckets.is_in_bucket(source):
        name = remote.file_name(source)
        if manifest.is_manifest(name):
            return manifest.list_manifest(source)
        if not is_packed(name):
            return buckets.list_bucket_folder(source)
        path = buckets.fetch(source, settings.sha256)
    elif remote.is_address(source):
        check_address(source, settings)
        path = remote.fetch(source, settings.sha256)
    else:
        path = _local(source, "data.source", layout.LAYOUT)
    if tfrecord.holds_tfrecords(path) if path.is_dir() else tfrecord.is_tfrecord(path.name):
        return tfrecord.list_tfrecords(path, settings.tfrecord, Path(workspace))
    if path.is_dir():
        return list_folder(path)
    if manifest.is_manifest(path.name):
        return manifest.list_manifest(path)
    if archive.is_archive(path.name):
        return archive.list_archive(path, Path(workspace))
    raise UserError(
        f"data.source {printable(str(path))} is a file of an unknown kind: expected a folder, an "
        f"archive ({', '.join(archive.SUFFIXES)}), a manifest ({', '.join(manifest.SUFFIXES)}) or "
        "a TFRecord"
    )


def is_packed(name: str) -> bool:
    """Whether a file of that name is an archive or a TFRecord, which is read whole to be listed."""
    return archive.is_archive(name) or tfrecord.is_tfrecord(name)


def check_address(source: str, settings: DataSettings) -> None:
    """Refuses, before anything is downloaded, what could not be used.

    Raises:
        UserError: the source is an address, and none of an archive, or its digest is missing.
    """
    if not remote.is_address(source) or buckets.is_in_bucket(source):
        return
    remote.check_address(source, settings.sha256)
    name = remote.file_name(source)
    if not is_packed(name):
        raise UserError(
            f"data.source {printable(source)} is the address of no archive and no TFRecord: "
            f"expected one that ends in {', '.join(archive.SUFFIXES)} or .tfrecord"
        )


def list_folder(root: str | os.PathLike) -> Source:
    """Lists a folder that has one folder of pictures per class.

    The class folders may lie in `train/`, `validation/` and `test/`, or what else people call these
    (`layout.SPLIT_NAMES`), in any letter case. Folders inside a class folder belong to the class.

    Args:
        root: A local folder. `~` is the user's home.

    Raises:
        UserError: If the folder is missing, empty, or not laid out that way; if it has fewer than
            two classes, or classes that `train/` lacks.
    """
    root = _folder(os.fspath(root), "data.source", layout.LAYOUT)
    ignored = 0

    def subfolders(folder: str) -> list[str]:
        nonlocal ignored
        found, ignored_here = _subfolders(os.path.join(root, folder))
        ignored += ignored_here
        return found

    class_folders = layout.class_folders(printable(root), subfolders)
    items = []
    readers: dict[tuple[int, int], str] = {}
    for folder, name, split in class_folders:
        found, ignored_here = _list_class(
            root, folder, layout.class_name(name, "class folder"), split, readers
        )
        items += found
        ignored += ignored_here
    classes = layout.check_classes(printable(root), items)
    items.sort(key=lambda item: os.fsencode(item.path))
    return Source(root, classes, tuple(items), ignored)


def list_unlabelled(root: str | os.PathLike) -> Source:
    """Lists the pictures of a folder and of all folders in it, whatever these are called.

    Args:
        root: A local folder. `~` is the user's home.

    Returns:
        A source without classes, whose items have an empty label and the split `unlabelled`.

    Raises:
        UserError: If the folder is missing or holds no picture.
    """
    root = _folder(os.fspath(root), "pseudo_labels.source", _UNLABELLED_LAYOUT)
    items, ignored = _list_pictures(root, "", "", features.UNLABELLED, {})
    if not items:
        raise UserError(
            f"pseudo_labels.source {printable(root)} holds no pictures: expected "
            f"{_UNLABELLED_LAYOUT}"
        )
    items.sort(key=lambda item: os.fsencode(item.path))
    source = Source(root, (), tuple(items), ignored)
    _check_heif(source)
    return source


def fingerprint(source: Source) -> str:
    """SHA-256 of what is listed, with sizes and times: changes when pictures or labels do."""
    digest = hashlib.sha256(repr(source.columns).encode())
    for item in source.items:
        said = (item.path, item.label, item.split, item.columns)
        digest.update(f"{said} {item.size} {item.mtime_ns} {item.position}\n".encode())
    return digest.hexdigest()


def _check_heif(source: Source) -> None:
    """Refuses HEIC pictures where they cannot be read, rather than set each of them aside.

    Raises:
        UserError: there are some, and the extra `heif` is missing.
    """
    if reads_heif():
        return
    paths = (item.path for item in source.items)
    found = [path for path in paths if layout.CONVERTED.get(layout.suffix(path)) == "HEIC"]
    if found:
        raise UserError(
            f"{len(found):,} picture(s) in {printable(source.location)} are HEIC, the first is "
            f"{printable(found[0])}: {HEIF_NEEDED}"
        )


def _folder(source: str, key: str, expected: str) -> str:
    """Absolute path of a folder that a recipe names.

    Args:
        source: the folder as the recipe has it.
        key: the recipe's key.
        expected: what is expected inside.

    Raises:
        UserError: it is something else.
    """
    path = _local(source, key, expected)
    if not path.is_dir():
        raise UserError(f"{key} {printable(str(path))} is a file: expected {expected}")
    return str(path)


def _local(source: str, key: str, expected: str) -> Path:
    """Absolute path of what a recipe names.

    Raises:
        UserError: it is not there, or an address.
    """
    if remote.is_address(source):
        raise UserError(
            f"{key} {printable(source)} is a remote address: only local folders are supported"
        )
    path = Path(source).expanduser().absolute()
    if not path.exists():
        raise UserError(
            f"{key} {printable(str(path))} does not exist: expected {expected}. Name yours in the "
            f"recipe, or with --set {key}=PATH"
        )
    return path


def _subfolders(folder: str) -> tuple[list[str], int]:
    """Names of the visible folders inside, and the number of files; pictures are an error."""
    folders, files = [], []
    for entry in walk.visible(folder):
        (folders if walk.is_folder(entry) else files).append(entry.name)
    pictures = [name for name in files if layout.is_picture(name)]
    if pictures:
        raise layout.pictures_outside_classes(folder, pictures)
    return folders, len(files)


def _list_class(
    root: str, folder: str, label: str, split: str | None, readers: dict[tuple[int, int], str]
) -> tuple[list[Item], int]:
    """Lists one class folder; see `_list_pictures`.

    Raises:
        UserError: it holds no pictures.
    """
    items, ignored = _list_pictures(root, folder, label, split, readers)
    if not items:
        raise layout.empty_class(os.path.join(root, folder))
    return items, ignored


def _list_pictures(
    root: str, folder: str, label: str, split: str | None, readers: dict[tuple[int, int], str]
) -> tuple[list[Item], int]:
    """Lists a folder and those in it.

    Args:
        root: absolute path of the source.
        folder: path relative to `root`.
        label: class of the pictures.
        split: split of the pictures.
        readers: class folder by the identity of each folder that was read for it; grows.

    Returns:
        The pictures, and the number of files that do not claim to be any.

    Raises:
        UserError: a folder belongs to two classes or splits, by a link.
    """
    items, ignored = [], 0
    prefix = len(os.path.join(root, ""))  # `relpath` takes ten times as long as a stat
    # A link to the root or above it would pull the other classes into this one.
    above = {walk.identity(parent) for parent in Path(root, folder).parents}
    for path, files in walk.folders(os.path.join(root, folder), above):
        reader = readers.setdefault(walk.identity(path), folder)
        if reader != folder:
            raise UserError(
                f"data.source {printable(root)}: the class folders {printable(reader)} and "
                f"{printable(folder)} are, or hold, one folder by a link ({printable(path)}): "
                "every picture needs one class and one split, so remove the link"
            )
        for entry in files:
            broken_link = entry.is_symlink() and not Path(entry.path).exists()
            if not layout.is_picture(entry.name) or not (broken_link or entry.is_file()):
                ignored += 1
                continue
            status = None if broken_link else entry.stat()
            items.append(
                Item(
                    path=entry.path[prefix:],
                    label=label,
                    split=split,
                    size=status.st_size if status else 0,
                    mtime_ns=walk.changed_ns(status) if status else 0,
                )
            )
    return items, ignored
