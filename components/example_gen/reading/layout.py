"""What the layout of a data source means: folders of classes and splits, and pictures."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from components import features
from components.errors import UserError
from components.example_gen.reading.source import Item
from components.example_gen.reading.walk import to_utf8
from components.text import one_line, printable

# Formats that TensorFlow does not decode: such pictures become PNG, and served models refuse them.
CONVERTED = {
    ".bmp": "BMP",
    ".webp": "WebP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".heic": "HEIC",
    ".heif": "HEIC",
}
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", *CONVERTED})
LAYOUT = "one folder of pictures per class, or train/, validation/ and test/ that hold those"
# What people call the splits, in any letter case.
SPLIT_NAMES = {
    "train": features.TRAIN,
    "validation": features.VALIDATION,
    "valid": features.VALIDATION,
    "val": features.VALIDATION,
    "test": features.TEST,
    "training": features.TRAIN,
    "testing": features.TEST,
}


def class_folders(
    shown: str, subfolders: Callable[[str], Sequence[str]]
) -> list[tuple[str, str, str | None]]:
    """Finds the folders of classes, which may lie in folders of splits.

    Args:
        shown: what messages call the source.
        subfolders: names of the visible folders in a folder, which is given by its path relative to
            the source; raises a UserError for one with pictures in it.

    Returns:
        Path relative to the source, name and split of each.

    Raises:
        UserError: there are none, or folders of splits and of classes lie side by side.
    """
    folders = subfolders("")
    splits = {folder: SPLIT_NAMES.get(folder.lower()) for folder in folders}
    found: list[tuple[str, str, str | None]]
    if None not in splits.values():
        found = [
            (f"{folder}/{name}", name, split)
            for folder, split in splits.items()
            for name in subfolders(folder)
        ]
    elif len(set(splits.values()) - {None}) > 1:
        others = listing(folder for folder in folders if splits[folder] is None)
        raise UserError(
            f"data.source {shown} has folders of splits beside others ({others}): expected either "
            "only train/, validation/ and test/, or only folders of classes"
        )
    else:
        found = [(folder, folder, None) for folder in folders]
    if not found:
        raise UserError(f"data.source {shown} holds no pictures: expected {LAYOUT}")
    return found


def pictures_outside_classes(folder: str, names: Sequence[str]) -> UserError:
    """The error for pictures that lie where folders of classes are expected."""
    return UserError(
        f"{len(names)} picture(s) lie directly in {printable(folder)}, the first is "
        f"{printable(names[0])}: expected {LAYOUT}"
    )


def empty_class(folder: str) -> UserError:
    """The error for a class without a picture."""
    return UserError(
        f"class folder {printable(folder)} holds no pictures: add some, or remove the folder"
    )


def check_classes(shown: str, items: Sequence[Item], expected: str = LAYOUT) -> tuple[str, ...]:
    """The sorted classes of the items.

    Args:
        shown: what messages call the source.
        items: all of its pictures.
        expected: what the source should look like, for a message.

    Raises:
        UserError: they are fewer than two, or a split has one that the train split lacks.
    """
    by_split: dict[str | None, set[str]] = {}
    for item in items:
        by_split.setdefault(item.split, set()).add(item.label)
    if by_split and None not in by_split and features.TRAIN not in by_split:
        raise UserError(
            f"data.source {shown} has {' and '.join(sorted(by_split))} but no train: expected "
            f"{expected}"
        )
    classes = sorted(by_split.get(None) or by_split.get(features.TRAIN) or ())
    for split, names in by_split.items():
        unknown = sorted(names.difference(classes))
        if unknown:
            raise UserError(
                f"data.source {shown}: {split}/ has the class {unknown[0]!r} that train/ lacks; "
                f"train/ has {listing(classes)}"
            )
    if len(classes) < 2:
        raise UserError(
            f"data.source {shown} has {len(classes)} class ({listing(classes)}), at least two are "
            f"needed: expected {expected}"
        )
    return tuple(classes)


def class_name(name: str, shown: str) -> str:
    """The class that a name stands for, in composed Unicode (NFC).

    Args:
        name: of a folder, or a label.
        shown: what messages call it, as `class folder`.

    Raises:
        UserError: it has a control character, such as the line break that vocabulary files separate
            classes with, or one that turns the direction of text.
    """
    composed = unicodedata.normalize("NFC", to_utf8(name))
    if printable(composed) != composed:
        raise UserError(
            f"{shown} '{printable(composed)}' has a control character in its name: rename it"
        )
    return composed


def split_name(text: str, where: str) -> str:
    """The split that a word stands for.

    Args:
        text: as people write it, in any letter case.
        where: what messages begin with.

    Raises:
        UserError: it stands for none.
    """
    split = SPLIT_NAMES.get(text.strip().lower())
    if split is None:
        raise UserError(
            f"{where}: unknown split '{printable(text.strip())}': expected one of "
            f"{', '.join(SPLIT_NAMES)}"
        )
    return split


def listing(names: Iterable[str]) -> str:
    """Names for a message, which is cut where there are very many."""
    return one_line(", ".join(names))


def suffix(name: str) -> str:
    """What a name ends in, as `.jpg`, in small letters."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (a quarter of pathlib's time)


def is_picture(name: str) -> bool:
    """Whether a file claims to be a picture."""
    return suffix(name) in PICTURE_SUFFIXES


def count_converted(names: Iterable[str]) -> dict[str, int]:
    """Numbers of files, by format, that claim to be pictures of one that a model is not served in.

    What is in a file is known when it is read: ingestion counts again.
    """
    formats = (CONVERTED.get(suffix(name)) for name in names)
    return dict(sorted(Counter(filter(None, formats)).items()))
