"""The overlay of fixes: a CSV file of labels to change and pictures to leave out.

The source itself is never touched. Pictures are named by content id, so that a fix holds wherever
its picture lies; the path is there for people. `graft data relabel` writes the file.
"""

import csv
import dataclasses
import io
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from components.errors import UserError
from components.files import write_atomically
from components.text import did_you_mean, one_line, printable

RELABEL, DROP = "relabel", "drop"
COLUMNS = ("image_id", "action", "label", "path")
_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Fix:
    """What to do with a picture.

    Attributes:
        action: `relabel` or `drop`.
        label: the right class; empty for `drop`.
        path: where the picture was when this was decided.
    """

    action: str
    label: str
    path: str


def read_fixes(path: str) -> dict[str, Fix]:
    """Reads an overlay.

    Args:
        path: local path; empty: there are no fixes.

    Returns:
        The fixes by content id.

    Raises:
        UserError: there is no such file, or it is none of `write_fixes`.
    """
    shown = f"data.fixes {printable(path)}"
    fixes: dict[str, Fix] = {}
    for line, row in read_rows(path, COLUMNS, shown) if path else ():
        where = f"{shown}, line {line}"
        image_id, fix = row["image_id"], Fix(row["action"], row["label"], row["path"])
        if not re.fullmatch("[0-9a-f]{64}", image_id):
            raise UserError(
                f"{where}: the image_id is '{one_line(image_id, 80)}': expected 64 hexadecimal "
                "digits, as `graft data relabel` writes them"
            )
        if fix.action not in (RELABEL, DROP) or bool(fix.label) != (fix.action == RELABEL):
            raise UserError(
                f"{where}: expected the action `{RELABEL}` with a label, or `{DROP}` without one, "
                f"not '{one_line(fix.action, 80)}' with '{one_line(fix.label, 80)}'"
            )
        if fixes.setdefault(image_id, fix) is not fix:
            raise UserError(f"{where}: the picture is there twice: {printable(fix.path)}")
    return fixes


def write_fixes(path: Path, fixes: Mapping[str, Fix]) -> None:
    """Writes an overlay, sorted by path; the file is there whole or as it was."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for image_id, fix in sorted(fixes.items(), key=lambda item: (item[1].path, item[0])):
        writer.writerow([image_id, fix.action, fix.label, fix.path])
    write_atomically(path, file.getvalue())


def read_rows(
    path: str, needed: Collection[str], shown: str
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a head, each with the number of its line.

    Args:
        path: local path.
        needed: columns that it must have.
        shown: names the file in messages.

    Raises:
        UserError: there is no such file, it is no CSV, lacks a column, or has a row of another
            length.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        head = [name.strip() for name in next(rows, [])]
        missing = [name for name in needed if name not in head]
        if missing:
            raise UserError(
                f"{shown} has no column {' and no column '.join(missing)}: expected "
                f"{', '.join(needed)} in its first line, which is: {one_line(','.join(head), 120)}"
            )
        for row in rows:
            if row and len(row) != len(head):
                raise UserError(
                    f"{shown}, line {rows.line_num}: {len(row)} values under {len(head)} columns"
                )
            if row:
                yield rows.line_num, dict(zip(head, row, strict=True))
    except FileNotFoundError:
        raise UserError(f"{shown} does not exist") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or one_line(error, 120)
        raise UserError(f"{shown} cannot be read as a CSV file in UTF-8: {why}") from error


def check_classes(fixes: Mapping[str, Fix], classes: Collection[str], path: str) -> None:
    """Refuses a label that no picture of the source has.

    Raises:
        UserError: there is one.
    """
    for fix in fixes.values():
        if fix.action == RELABEL and fix.label not in classes:
            raise UserError(
                f"data.fixes {printable(path)}: {unknown_class(fix.label, classes)}, of "
                f"{printable(fix.path)}"
            )


def unknown_class(label: str, classes: Collection[str]) -> str:
    """Says that a label is no class, and which there are."""
    known = one_line(", ".join(classes))
    hint = did_you_mean(label, classes)
    return f"there is no class '{one_line(label, 80)}'{hint} (there are {known})"


def check_found(fixes: Mapping[str, Fix], found: Collection[str], path: str, source: str) -> None:
    """Stops where fixes name pictures that are gone: those labels may be wrong again.

    A picture that was saved anew is another one to a content id, and comes with its old label.

    Args:
        fixes: of the overlay.
        found: content ids of the source's pictures, or of some of them.
        path: of the overlay.
        source: path of the data source.

    Raises:
        UserError: a picture is not there.
    """
    gone = sorted(fix.path for image_id, fix in fixes.items() if image_id not in found)
    if gone:
        some = ", ".join(printable(one) for one in gone[:_SHOWN])
        raise UserError(
            f"data.fixes {printable(path)}: {len(gone)} of its {len(fixes)} pictures are not in "
            f"{printable(source)}, the first of them {some}: they are gone or were changed, and a "
            "changed one has its old label again. Look, take their lines out, and give those that "
            "changed to `graft data relabel`; or set data.missing_fixes=keep"
        )
