"""TFRecord files of tf.Example, as data sources."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.errors import UserError
from components.example_gen.config import TFRecordSettings
from components.example_gen.reading import walk
from components.example_gen.reading.decompress import decompressed, is_gzip, plain_name
from components.example_gen.reading.layout import check_classes, class_name, listing, split_name
from components.example_gen.reading.source import SLICES, Item, Source
from components.text import one_line, printable

_EXPECTED = "TFRecord files of tf.Example; data.tfrecord names the features"
# A record is framed by its length and two checksums.
_BEFORE_RECORD, _AFTER_RECORD = 12, 4


def is_tfrecord(name: str) -> bool:
    """Whether a file claims to be a TFRecord, as `a.tfrecord` and `a_tfrecord-01-of-02.gz` do."""
    return "tfrecord" in name.lower()


def holds_tfrecords(folder: Path) -> bool:
    """Whether all that is visible in a folder, and that is something, claims to be TFRecords.

    Raises:
        UserError: only some of its files do, as TensorFlow Datasets has it, and it has no folders.
    """
    entries = walk.visible(str(folder))
    others = [e.name for e in entries if not (e.is_file() and is_tfrecord(e.name))]
    if 0 < len(others) < len(entries) and not any(map(walk.is_folder, entries)):
        raise UserError(
            f"data.source {printable(str(folder))} holds TFRecords beside other files "
            f"({listing(others)}): expected a folder of TFRecords alone, or one file"
        )
    return bool(entries) and not others


def list_tfrecords(path: Path, settings: TFRecordSettings, workspace: Path) -> Source:
    """Lists the pictures in TFRecord files, which takes one pass over them.

    Workers then read each picture from its place in the files. Files in gzip are decompressed
    first, in one pass that does not scale out.

    Args:
        path: absolute path of a file, or of a folder that holds nothing else.
        settings: names of the features.
        workspace: folder for what has to be decompressed.

    Raises:
        UserError: a file is damaged or cut off, or its examples lack what is asked for.
    """
    shown = printable(str(path))
    files = _files(path)
    compressed = [is_gzip(file) for file in files]
    if any(compressed):
        if not all(compressed):
            plain = files[compressed.index(False)].name
            raise UserError(
                f"data.source {shown}: {printable(plain)} is not in gzip, others are: expected all "
                "files of one kind"
            )
        folder = decompressed(path, files, workspace)
        path = folder / plain_name(path.name) if path.is_file() else folder
        files = _files(path)
    items = [item for file in files for item in _items(file, settings, f"data.source {shown}")]
    items.sort(key=lambda item: item.path)
    return Source(
        root=str(path),
        classes=check_classes(shown, items, _EXPECTED),
        items=tuple(items),
        ignored=0,
        kind=SLICES,
    )


def _files(path: Path) -> list[Path]:
    return [Path(entry.path) for entry in walk.visible(str(path))] if path.is_dir() else [path]


def _items(file: Path, settings: TFRecordSettings, shown: str) -> Iterator[Item]:
    """The pictures of one file."""
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    mtime_ns = walk.changed_ns(file.stat())
    name = printable(file.name)
    start = 0
    for number, record in enumerate(_records(file, f"{shown}: {name}")):
        where = f"{shown}: record {number} of {name}"
        try:
            found = tf.train.Example.FromString(record).features.feature
        except DecodeError as error:
            raise UserError(f"{where} is no tf.Example: expected {_EXPECTED}") from error
        image = _value(found, settings.image, "image", where)
        if not isinstance(image, bytes):
            raise UserError(f"{where}: {settings.image} holds no bytes: {_hint('image', found)}")
        label = _text(found, settings.label, "label", where).strip()
        if not label:
            raise UserError(f"{where}: {printable(settings.label)} is empty: expected a class")
        split = None
        if settings.split:
            split = split_name(_text(found, settings.split, "split", where), where)
        yield Item(
            path=f"{file.name}#{number}",
            label=class_name(label, f"{where}: label"),
            split=split,
            size=len(image),
            mtime_ns=mtime_ns,
            # Serialised bytes are one piece, so that it can be read without the rest.
            position=start + _BEFORE_RECORD + record.index(image),
        )
        start += _BEFORE_RECORD + len(record) + _AFTER_RECORD


def _records(file: Path, shown: str) -> Iterator[bytes]:
    """The records of a file, whose checksums are right.

    That a file ends exactly between two records is all that nobody can see of one that was cut.

    Raises:
        UserError: the file is damaged, cut off or something else.
    """
    import tensorflow as tf

    number = 0
    try:
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            yield record
            number += 1
    except tf.errors.OpError as error:
        raise UserError(
            f"{shown} is no TFRecord, damaged or cut off after {number:,} records "
            f"({one_line(error.message.rpartition('}} ')[2], 100)}): make or download it again"
        ) from error


def _value(found: Any, feature: str, setting: str, where: str) -> bytes | int:
    """The one value of a feature of an example.

    Raises:
        UserError: it has none, or several.
    """
    values = ()
    if feature in found:
        values = found[feature].bytes_list.value or found[feature].int64_list.value
    if len(values) != 1:
        raise UserError(
            f"{where}: {printable(feature)} has {len(values)} values, expected one of bytes or "
            f"int64: {_hint(setting, found)}"
        )
    return values[0]


def _text(found: Any, feature: str, setting: str, where: str) -> str:
    value = _value(found, feature, setting, where)
    if isinstance(value, int):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: {printable(feature)} is not UTF-8") from error


def _hint(setting: str, found: Any) -> str:
    return f"set data.tfrecord.{setting} to one of {listing(sorted(found))}"
