"""From what a person decided about pictures, by their paths, to fixes by content id."""

import collections
import hashlib
import unicodedata
from collections.abc import Mapping

from components.errors import UserError
from components.example_gen import fixes
from components.example_gen.fixes import DROP, RELABEL, Fix
from components.example_gen.inspection.pictures import BadPictureError
from components.example_gen.reading.readers import open_reader
from components.example_gen.reading.source import Item, Source
from components.example_gen.reading.walk import to_utf8
from components.text import one_line, printable

_PATH, _LABEL, _SUGGESTED, _ACTION = "path", "label", "suggested", "action"
_MOST = 3


def read_decisions(path: str, source: Source, named: str) -> dict[str, Fix]:
    """Reads a CSV file with the columns `path` and `label`, and finds the pictures in the source.

    The class may also stand in `suggested`, as in the file that `graft data labels` writes. A
    column `action` says `relabel` (also where it is empty) or `drop`. Other columns are left alone.

    Args:
        path: the CSV file.
        source: the pictures.
        named: what the recipe calls them, for messages.

    Returns:
        Fixes by content id.

    Raises:
        UserError: a column is missing, a class or an action unknown, a picture is not in the
            source, or two rows say different things of one.
    """
    rows = _read_rows(path, source)
    items: dict[str, list[Item]] = collections.defaultdict(list)
    for item in source.items:
        items[to_utf8(item.path)].append(item)
    gone = [(line, name) for name, (line, _) in rows.items() if name not in items]
    if gone:
        some = ", ".join(f"{one_line(name)} (line {line})" for line, name in gone[:_MOST])
        raise UserError(
            f"{printable(path)}: {len(gone)} of its {len(rows)} pictures are not in "
            f"data.source {printable(named)}, the first of them {some}: expected paths as "
            "`graft data labels` writes them. Nothing was changed"
        )
    decided: dict[str, tuple[int, Fix]] = {}
    with open_reader(source.kind, source.root) as read:
        for name, (line, fix) in rows.items():
            for item in items[name]:
                try:
                    image_id = hashlib.sha256(read(item)).hexdigest()
                except BadPictureError as error:
                    where = f"{printable(path)}, line {line}: {one_line(name)}"
                    raise UserError(f"{where} {error}. Nothing was changed") from error
                first, before = decided.setdefault(image_id, (line, fix))
                if (before.action, before.label) != (fix.action, fix.label):
                    raise UserError(
                        f"{printable(path)}, line {line}: {one_line(name)} is the same picture as "
                        f"{one_line(before.path)} in line {first}, of which it says "
                        f"`{_say(before)}`, not `{_say(fix)}`. Nothing was changed"
                    )
    return {image_id: fix for image_id, (_, fix) in decided.items()}


def _read_rows(path: str, source: Source) -> Mapping[str, tuple[int, Fix]]:
    """The decisions by path, each with its line."""
    shown = printable(path)
    found: dict[str, tuple[int, Fix]] = {}
    for line, row in fixes.read_rows(path, [_PATH], shown):
        where = f"{shown}, line {line}"
        if _LABEL not in row and _SUGGESTED not in row and _ACTION not in row:
            raise UserError(
                f"{shown} has no column {_LABEL}: expected {_PATH} and {_LABEL}, or {_PATH} and "
                f"{_SUGGESTED} as `graft data labels` writes them, and {_ACTION} (`{RELABEL}` or "
                f"`{DROP}`) if you like"
            )
        fix = _fix(row, source, where)
        first, before = found.setdefault(fix.path, (line, fix))
        if before != fix:
            raise UserError(
                f"{where}: {one_line(fix.path)} has `{_say(fix)}`, and `{_say(before)}` in line "
                f"{first}: expected one row per picture"
            )
    if not found:
        raise UserError(f"{shown} has no row: expected one for each picture to fix")
    return found


def _fix(row: Mapping[str, str], source: Source, where: str) -> Fix:
    action = row.get(_ACTION, "").strip().lower() or RELABEL
    if action not in (RELABEL, DROP):
        raise UserError(
            f"{where}: the {_ACTION} is '{one_line(action, 80)}': expected {RELABEL} or {DROP}"
        )
    if not row[_PATH]:
        raise UserError(f"{where}: no {_PATH}")
    if action == DROP:
        return Fix(DROP, "", row[_PATH])
    label = (row[_LABEL] if _LABEL in row else row.get(_SUGGESTED, "")).strip()
    label = unicodedata.normalize("NFC", label)  # as class names are
    if label not in source.classes:
        raise UserError(f"{where}: {fixes.unknown_class(label, source.classes)}")
    return Fix(RELABEL, label, row[_PATH])


def _say(fix: Fix) -> str:
    return printable(f"{fix.action} {fix.label}".strip())
