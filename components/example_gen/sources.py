"""Lists the pictures of a data source and their classes, without opening a single one."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from components import features
from components.errors import UserError
from components.example_gen import digits, walk
from components.example_gen.source import Item, Source
from components.text import one_line, printable

DIGITS = "digits"

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"}
)
_SPLIT_FOLDERS = {
    "train": features.TRAIN,
    "validation": features.VALIDATION,
    "valid": features.VALIDATION,
    "val": features.VALIDATION,
    "test": features.TEST,
}
_UNLABELLED_LAYOUT = "a folder of pictures, with or without folders in it"
_LAYOUT = "one folder of pictures per class, or train/, validation/ and test/ that hold those"


def open_source(source: str, workspace: str | os.PathLike) -> Source:
    """Lists the pictures of any kind of data source.

    Archives, manifests and TFRecords will be told apart from folders here, and unpack into
    `workspace`.

    Args:
        source: `digits`, or a folder (`./digits` for a folder of that name).
        workspace: Local folder for what a source has to write before it can be listed.

    Raises:
        UserError: If the source is missing or is not laid out as one folder per class.
    """
    if source == DIGITS:
        return list_folder(digits.write_digits(workspace))
    return list_folder(source)


def list_folder(root: str | os.PathLike) -> Source:
    """Lists a folder that has one folder of pictures per class.

    The class folders may lie in `train/`, `validation/` (or `val/`, `valid/`) and `test/`, in any
    letter case. Folders inside a class folder belong to the class.

    Args:
        root: A local folder. `~` is the user's home.

    Raises:
        UserError: If the folder is missing, empty, or not laid out that way; if it has fewer than
            two classes, or classes that `train/` lacks.
    """
    root = _folder(os.fspath(root), "data.source", _LAYOUT)
    folders, ignored = _subfolders(root)
    splits = {folder: _SPLIT_FOLDERS.get(folder.lower()) for folder in folders}
    if None not in splits.values():
        class_folders = []
        for folder, split in splits.items():
            subfolders, ignored_here = _subfolders(os.path.join(root, folder))
            ignored += ignored_here
            class_folders += [(os.path.join(folder, sub), sub, split) for sub in subfolders]
    elif len(set(splits.values()) - {None}) > 1:
        others = _listing(folder for folder in folders if splits[folder] is None)
        raise UserError(
            f"data.source {printable(root)} has folders of splits beside others ({others}): "
            "expected either only train/, validation/ and test/, or only folders of classes"
        )
    else:
        class_folders = [(folder, folder, None) for folder in folders]
    if not class_folders:
        raise UserError(f"data.source {printable(root)} holds no pictures: expected {_LAYOUT}")

    items = []
    readers: dict[tuple[int, int], str] = {}
    for folder, name, split in class_folders:
        found, ignored_here = _list_class(root, folder, _class_name(name), split, readers)
        items += found
        ignored += ignored_here
    classes = _check_classes(root, items)
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
    return Source(root, (), tuple(items), ignored)


def fingerprint(source: Source) -> str:
    """SHA-256 of the names, sizes and times of all items: changes when the pictures do."""
    digest = hashlib.sha256()
    for item in source.items:
        digest.update(os.fsencode(item.path) + f"\0{item.size}\0{item.mtime_ns}\n".encode())
    return digest.hexdigest()


def _folder(source: str, key: str, layout: str) -> str:
    """Absolute path of a folder that a recipe names.

    Args:
        source: the folder as the recipe has it.
        key: the recipe's key.
        layout: what is expected inside.

    Raises:
        UserError: it is something else.
    """
    if "://" in source:
        raise UserError(
            f"{key} {printable(source)} is a remote address: only local folders are supported"
        )
    path = Path(source).expanduser().absolute()
    root = str(path)
    if not path.exists():
        raise UserError(
            f"{key} {printable(root)} does not exist: expected {layout}. Name yours in the recipe, "
            f"or with --set {key}=PATH"
        )
    if not path.is_dir():
        raise UserError(
            f"{key} {printable(root)} is a file: archives, manifests and TFRecords are not "
            f"supported yet; expected {layout}"
        )
    return root


def _subfolders(folder: str) -> tuple[list[str], int]:
    """Names of the visible folders inside, and the number of files; pictures are an error."""
    folders, files = [], []
    for entry in walk.visible(folder):
        (folders if walk.is_folder(entry) else files).append(entry.name)
    pictures = [name for name in files if _is_picture(name)]
    if pictures:
        raise UserError(
            f"{len(pictures)} picture(s) lie directly in {printable(folder)}, the first is "
            f"{printable(pictures[0])}: expected {_LAYOUT}"
        )
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
        raise UserError(
            f"class folder {printable(os.path.join(root, folder))} holds no pictures: add some, or "
            "remove the folder"
        )
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
            if not _is_picture(entry.name) or not (broken_link or entry.is_file()):
                ignored += 1
                continue
            status = None if broken_link else entry.stat()
            items.append(
                Item(
                    path=os.path.relpath(entry.path, root),
                    label=label,
                    split=split,
                    size=status.st_size if status else 0,
                    mtime_ns=status.st_mtime_ns if status else 0,
                )
            )
    return items, ignored


def _check_classes(root: str, items: Sequence[Item]) -> tuple[str, ...]:
    """The sorted classes of the items.

    Raises:
        UserError: they are fewer than two, or a split has one that the train split lacks.
    """
    by_split: dict[str | None, set[str]] = {}
    for item in items:
        by_split.setdefault(item.split, set()).add(item.label)
    if by_split and None not in by_split and features.TRAIN not in by_split:
        raise UserError(
            f"data.source {printable(root)} has {' and '.join(sorted(by_split))} but no train: "
            "expected train/ with one folder of pictures per class"
        )
    classes = sorted(by_split.get(None) or by_split.get(features.TRAIN) or ())
    for split, names in by_split.items():
        unknown = sorted(names.difference(classes))
        if unknown:
            raise UserError(
                f"data.source {printable(root)}: {split}/ has the class {unknown[0]!r} that train/ "
                f"lacks; train/ has {_listing(classes)}"
            )
    if len(classes) < 2:
        raise UserError(
            f"data.source {printable(root)} has {len(classes)} class ({_listing(classes)}), at "
            f"least two are needed: expected {_LAYOUT}"
        )
    return tuple(classes)


def _class_name(folder: str) -> str:
    """The class that a folder stands for, in composed Unicode (NFC).

    Raises:
        UserError: the name has a control character, such as the line break that vocabulary files
            separate classes with, or one that turns the direction of text.
    """
    name = unicodedata.normalize("NFC", walk.to_utf8(folder))
    if printable(name) != name:
        raise UserError(
            f"class folder '{printable(name)}' has a control character in its name: rename it"
        )
    return name


def _listing(names: Iterable[str]) -> str:
    """Names for a message, which is cut where there are very many."""
    return one_line(", ".join(names))


def _is_picture(name: str) -> bool:
    return Path(name).suffix.lower() in PICTURE_SUFFIXES
