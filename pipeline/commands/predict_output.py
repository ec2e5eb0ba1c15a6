"""What `graft predict` prints: a table, JSON lines or CSV, a line per picture as it is answered."""

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from rich.cells import cell_len, set_cell_size

from components.text import printable
from pipeline.commands.predict_model import Answer

# Columns of a terminal. Names of classes are cut so that the table fits into 80 of them.
_LONGEST_CLASS = 16
_LONGEST_SET = 24
_SHORTEST_PATH = 12
_GAP = "  "


class Format(Protocol):
    """How answers are written."""

    def heading(self) -> str:
        """The first line; empty if there is none."""

    def row(self, answer: Answer) -> str:
        """The line of a picture."""


def ranked(answer: Answer, classes: Sequence[str]) -> list[tuple[str, float]]:
    """Classes with their probabilities, the most probable first."""
    order = np.argsort(-answer.probabilities, kind="stable")
    return [(classes[index], float(answer.probabilities[index])) for index in order]


def in_set(answer: Answer, classes: Sequence[str]) -> list[str]:
    """The classes of an answer's label set, the most probable first."""
    chosen = {name for name, inside in zip(classes, answer.label_set, strict=True) if inside}
    return [name for name, _ in ranked(answer, classes) if name in chosen]


class Table:
    """Lined-up columns. The path comes last, so that it need not be broken."""

    def __init__(
        self, classes: Sequence[str], abstains: bool, has_label_sets: bool, width: int | None
    ):
        """Makes the table.

        Args:
            classes: names, by column of the probabilities.
            abstains: whether there is a column `unsure`.
            has_label_sets: whether the label set stands in the place of the runner-up.
            width: of the terminal, in columns: longer paths lose their beginning. None: they are
                written as they are, for programs.
        """
        self._classes = classes
        longest = max((cell_len(printable(name)) for name in classes), default=0)
        name_width = max(len("class"), min(longest, _LONGEST_CLASS))
        self._has_label_sets = has_label_sets
        second = ("label set", _LONGEST_SET) if has_label_sets else ("next", name_width + 6)
        self._columns = [("class", name_width), ("probability", len("probability"))]
        if abstains:
            self._columns.append(("unsure", len("unsure")))
        self._columns.append(second)
        taken = sum(size + len(_GAP) for _, size in self._columns)
        self._path_width = None if width is None else max(width - taken, _SHORTEST_PATH)

    def heading(self) -> str:
        """Names of the columns."""
        return self._line([name for name, _ in self._columns], "picture")

    def row(self, answer: Answer) -> str:
        """The class, its probability, the runner-up or the label set, and the path."""
        path = self._path(answer.path)
        if answer.error:
            taken = sum(size + len(_GAP) for _, size in self._columns) - len(_GAP)
            return f"{_fitted(answer.error, taken)}{_GAP}{path}"
        best, *others = ranked(answer, self._classes)
        cells = [best[0], f"{best[1]:.3f}"]
        if any(name == "unsure" for name, _ in self._columns):
            cells.append("unsure" if answer.unsure else "")
        if self._has_label_sets:
            cells.append(", ".join(in_set(answer, self._classes)) or "none")
        elif others:
            name = _shortened(printable(others[0][0]), self._columns[-1][1] - 6)
            cells.append(f"{name} {others[0][1]:.3f}")
        else:
            cells.append("")
        return self._line(cells, path)

    def _line(self, cells: Sequence[str], path: str) -> str:
        sizes = [size for _, size in self._columns]
        fitted = [_fitted(cell, size) for cell, size in zip(cells, sizes, strict=True)]
        return _GAP.join([*fitted, path])

    def _path(self, path: str) -> str:
        text = printable(path)
        return text if self._path_width is None else _end_of(text, self._path_width)


class JsonLines:
    """A JSON object per picture, in ASCII; what is not finite is null."""

    def __init__(self, classes: Sequence[str]):
        self._classes = classes

    def heading(self) -> str:
        """None."""
        return ""

    def row(self, answer: Answer) -> str:
        """`path` and `error`, or `path`, `label`, `probability`, `probabilities` and more."""
        if answer.error:
            return json.dumps({"path": answer.path, "error": answer.error})
        label, probability = ranked(answer, self._classes)[0]
        fields: dict[str, Any] = {
            "path": answer.path,
            "label": label,
            "probability": _finite(probability),
            "probabilities": {
                name: _finite(float(value))
                for name, value in zip(self._classes, answer.probabilities, strict=True)
            },
        }
        if answer.unsure is not None:
            fields["unsure"] = answer.unsure
        if answer.label_set is not None:
            fields["label_set"] = in_set(answer, self._classes)
        return json.dumps(fields)


class Csv:
    """A row per picture. Unprintable characters are escapes, in names too."""

    COLUMNS = (
        "path", "label", "probability", "next", "next_probability", "unsure", "label_set", "error"
    )  # fmt: skip

    def __init__(self, classes: Sequence[str]):
        self._classes = classes

    def heading(self) -> str:
        """Names of the columns: the same for every model."""
        return _csv_line(self.COLUMNS)

    def row(self, answer: Answer) -> str:
        """What a model or a picture has not is empty; a label set is separated by `|`."""
        if answer.error:
            return _csv_line([answer.path, *[""] * (len(self.COLUMNS) - 2), answer.error])
        best, *others = ranked(answer, self._classes)
        second = [others[0][0], f"{others[0][1]:.6f}"] if others else ["", ""]
        unsure = "" if answer.unsure is None else str(answer.unsure).lower()
        label_set = "" if answer.label_set is None else "|".join(in_set(answer, self._classes))
        return _csv_line([answer.path, best[0], f"{best[1]:.6f}", *second, unsure, label_set, ""])


def _csv_line(cells: Sequence[str]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow([printable(cell) for cell in cells])
    return file.getvalue()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _fitted(text: str, width: int) -> str:
    """The text printable and exactly as wide as a column."""
    return set_cell_size(_shortened(printable(text), width), width)


def _shortened(text: str, width: int) -> str:
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1).rstrip()}…"


def _end_of(text: str, width: int) -> str:
    """The text, or its end where it is wider: of a path that says the most."""
    if cell_len(text) <= width:
        return text
    while cell_len(text) >= width:
        text = text[1:]
    return f"…{text}"
