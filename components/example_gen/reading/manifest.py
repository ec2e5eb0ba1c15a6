"""Manifests: tables that say where each picture lies and what is on it."""

import csv
import functools
import io
import json
import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from components import features
from components.errors import UserError
from components.example_gen.reading import buckets, walk
from components.example_gen.reading.layout import check_classes, class_name, listing, split_name
from components.example_gen.reading.source import Item, Source
from components.text import one_line, printable

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")
SUFFIXES = (*_DELIMITERS, *_JSON_LINES)

# Size in bytes and time in nanoseconds of a file; None where there is none.
Status = tuple[int, int] | None

_PATH, _LABEL, _SPLIT = "path", "label", "split"
EXPECTED = "the columns path and label, and if you like split and more"


def is_manifest(name: str) -> bool:
    """Whether a file claims to be a manifest."""
    return Path(name).suffix.lower() in SUFFIXES


def list_manifest(path: Path | str) -> Source:
    """Lists the pictures that a manifest names.

    It is a table in UTF-8 with the columns `path` and `label`, and may have `split` and further
    ones, whose values travel with the pictures as text. Rows that say again what an earlier one
    said count once. A file that is not there is listed, so that somebody is told about it.

    Args:
        path: absolute path, or address in an object store, of a .csv or .tsv file with a header, or
            of JSON lines. The paths in it start from its folder.

    Raises:
        UserError: it is damaged, or says something that cannot be; with the line at fault.
    """
    shown = printable(str(path))
    rows: dict[str, tuple[int, dict[str, str]]] = {}
    repeated = 0
    for line, row in _rows(path, shown):
        where = f"data.source {shown}, line {line}"
        row = _checked(row, where)
        first, before = rows.setdefault(row[_PATH], (line, row))
        if before is not row:
            _check_same(row, before, first, where)
            repeated += 1
    if not rows:
        raise UserError(f"data.source {shown} names no pictures: expected {EXPECTED}")
    _check_splits(rows, shown)
    columns = _further_columns(row for _, row in rows.values())
    _check_feature_names(columns, shown)
    root, status = _folder_of(path)
    items = [
        _item(status, row, columns, f"data.source {shown}, line {line}")
        for line, row in sorted(rows.values(), key=lambda entry: os.fsencode(entry[1][_PATH]))
    ]
    if not any(item.mtime_ns for item in items):
        raise UserError(
            f"data.source {shown}: none of the {len(items)} files that it names is there, the "
            f"first is {printable(items[0].path)}: expected paths that start from {printable(root)}"
        )
    classes = check_classes(shown, items, EXPECTED)
    return Source(
        root, classes, tuple(items), 0, manifest=str(path), columns=columns, repeated=repeated
    )


def _folder_of(path: Path | str) -> tuple[str, Callable[[str], Status]]:
    """The folder of a manifest, and what tells of a path that starts from it."""
    if isinstance(path, str):
        root = path.rpartition("/")[0]
        return root, buckets.listing(root).get
    return str(path.parent), functools.partial(_local_status, path.parent)


def _local_status(root: Path, path: str) -> Status:
    """See `Status`; raises an IsADirectoryError for what is there and is no file."""
    try:
        status = (root / path).stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise IsADirectoryError(path)
    return status.st_size, walk.changed_ns(status)


def _open(path: Path | str) -> TextIO:
    # A byte order mark, which Excel writes, is no part of the first column's name.
    if isinstance(path, str):
        return io.TextIOWrapper(io.BytesIO(buckets.read(path)), "utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _rows(path: Path | str, shown: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and values by column of every row.

    Raises:
        UserError: the file is no such table.
    """
    suffix = Path(path).suffix.lower()
    try:
        with _open(path) as file:
            if suffix in _JSON_LINES:
                yield from _json_rows(file, shown)
            else:
                yield from _table_rows(file, _DELIMITERS[suffix], shown)
    except UnicodeDecodeError as error:
        raise UserError(f"data.source {shown} is not UTF-8 ({error}): save it as UTF-8") from error
    except csv.Error as error:
        raise UserError(f"data.source {shown} is no {suffix} table: {one_line(error)}") from error
    except OSError as error:
        raise UserError(f"data.source {shown} cannot be read: {error.strerror}") from error


def _table_rows(file: TextIO, delimiter: str, shown: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    header = [_column(name) for name in next(reader, [])]
    missing = [name for name in (_PATH, _LABEL) if name not in header]
    if missing:
        raise UserError(
            f"data.source {shown} has no column {' and '.join(missing)}; its first line has "
            f"{listing(header) or 'nothing'}: expected {EXPECTED}"
        )
    for name in header:
        if not name or header.count(name) > 1:
            raise UserError(
                f"data.source {shown}: its first line has the column '{printable(name)}' "
                f"{header.count(name)} time(s): give each column a name of its own"
            )
    for values in reader:
        if not any(values):
            continue  # an empty line, often the last
        if len(values) != len(header):
            raise UserError(
                f"data.source {shown}, line {reader.line_num}: {len(values)} values, the first "
                f"line has {len(header)} columns: put quotes around values that hold the separator"
            )
        yield reader.line_num, dict(zip(header, values, strict=True))


def _json_rows(file: TextIO, shown: str) -> Iterator[tuple[int, dict[str, str]]]:
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except ValueError as error:
            raise UserError(f"data.source {shown}, line {line}: no JSON ({error})") from error
        if not isinstance(row, dict) or any(isinstance(v, dict | list) for v in row.values()):
            raise UserError(
                f"data.source {shown}, line {line}: expected one JSON object per line, with plain "
                'values, as {"path": "a/1.jpg", "label": "a"}'
            )
        yield (
            line,
            {_column(name): "" if value is None else str(value) for name, value in row.items()},
        )


def _column(name: str) -> str:
    """A column's name; those with a meaning in any letter case."""
    name = name.strip()
    return name.lower() if name.lower() in (_PATH, _LABEL, _SPLIT) else name


def _checked(row: dict[str, str], where: str) -> dict[str, str]:
    """A row with path, label and split in one form; without `split` where it is empty.

    Raises:
        UserError: it has no path or label, or values that cannot be.
    """
    for name in (_PATH, _LABEL):
        if not row.get(name, "").strip():
            raise UserError(f"{where}: no {name}: expected {EXPECTED}")
    for name, value in row.items():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise UserError(f"{where}: {printable(name)} is not Unicode text") from error
    if "://" in row[_PATH]:
        raise UserError(f"{where}: {printable(row[_PATH])} is an address: expected local paths")
    path = posixpath.normpath(row[_PATH].strip())
    if printable(path) != path:
        raise UserError(f"{where}: the path '{printable(path)}' has a control character")
    checked = row | {_PATH: path, _LABEL: class_name(row[_LABEL].strip(), f"{where}: label")}
    if row.get(_SPLIT, "").strip():
        checked[_SPLIT] = split_name(row[_SPLIT], where)
    else:
        checked.pop(_SPLIT, None)
    return checked


def _check_same(row: dict[str, str], before: dict[str, str], first: int, where: str) -> None:
    """Refuses a picture that two rows say different things of."""
    for name in (*row, *before):
        now, then = row.get(name, ""), before.get(name, "")
        if now != then:
            raise UserError(
                f"{where}: {row[_PATH]} has the {printable(name)} '{printable(now)}', and "
                f"'{printable(then)}' in line {first}: expected one row per picture"
            )


def _check_splits(rows: dict[str, tuple[int, dict[str, str]]], shown: str) -> None:
    """Refuses a manifest that says the split of some pictures only."""
    without = [line for line, row in rows.values() if _SPLIT not in row]
    if 0 < len(without) < len(rows):
        raise UserError(
            f"data.source {shown}, line {without[0]}: no split, but other rows have one: expected "
            "it in every row or in none"
        )


def _further_columns(rows: Iterable[dict[str, str]]) -> tuple[str, ...]:
    """Names of the columns without a meaning of their own, sorted."""
    return tuple(sorted({name for row in rows for name in row} - {_PATH, _LABEL, _SPLIT}))


def _check_feature_names(columns: tuple[str, ...], shown: str) -> None:
    """Refuses columns whose values would come under one name in the examples."""
    by_feature: dict[str, str] = {}
    for name in columns:
        other = by_feature.setdefault(features.column_feature(name), name)
        if other != name:
            raise UserError(
                f"data.source {shown}: the columns '{printable(other)}' and '{printable(name)}' "
                f"would both become the feature {features.column_feature(name)}: rename one"
            )


def _item(
    status: Callable[[str], Status], row: dict[str, str], columns: tuple[str, ...], where: str
) -> Item:
    """The picture of a row.

    Raises:
        UserError: its path is that of a folder or a device.
    """
    try:
        size, mtime_ns = status(row[_PATH]) or (0, 0)
    except IsADirectoryError:
        raise UserError(
            f"{where}: {row[_PATH]} is no file: expected the path of a picture"
        ) from None
    return Item(
        path=row[_PATH],
        label=row[_LABEL],
        split=row.get(_SPLIT),
        size=size,
        mtime_ns=mtime_ns,
        columns=tuple(row.get(name, "") for name in columns),
    )
