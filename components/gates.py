"""The answers that decide whether a model is served, and the file that keeps them.

Every gate writes one row per question to `gates.json` beside its blessing; whoever wants to know
what was decided reads it there.
"""

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

from components.files import write_atomically

GATES_FILE = "gates.json"

# `warn` does not stop a model: the question could not be answered, or the answer needs a look.
Verdict = Literal["pass", "warn", "fail"]

# What a page and a model's card call a verdict.
WORDS = {"pass": "yes", "warn": "look", "fail": "no"}


@dataclasses.dataclass(frozen=True)
class Gate:
    """The answer to one question about a model.

    Attributes:
        name: what was asked, such as `accuracy`.
        verdict: a model with a `fail` is not served.
        value: what was measured; None where nothing could be measured.
        bound: the limit that `value` was held against; None where there is no number to compare.
        message: one line for the release owner.
        interval: what is proved of `value`: at least the first and, for itself, at most the second;
            None where nothing is claimed.
        pictures: how many `value` was measured on; None where it is of no pictures.
        node: who asked, for a display; empty where it is not told. It is not stored.
    """

    name: str
    verdict: Verdict
    value: float | None
    bound: float | None
    message: str
    interval: tuple[float, float] | None = None
    pictures: int | None = None
    node: str = dataclasses.field(default="", compare=False)

    def __post_init__(self):
        assert self.verdict in get_args(Verdict), self.verdict

    def as_row(self) -> dict[str, Any]:
        """The answer as it is stored."""
        row = dataclasses.asdict(self)
        del row["node"]
        return row


def verdict(passed: bool) -> Verdict:
    """The verdict on a question that was answered with yes or no."""
    return "pass" if passed else "fail"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that counts for all: `fail` before `warn` before `pass`."""
    return max(verdicts, key=get_args(Verdict).index, default="pass")


def failed(gates: Iterable[Gate]) -> list[Gate]:
    """Those that forbid serving the model."""
    return [gate for gate in gates if gate.verdict == "fail"]


def write_gates(folder: str | os.PathLike, gates: Iterable[Gate]) -> None:
    """Writes `gates.json` into the folder of a blessing."""
    rows = [gate.as_row() for gate in gates]
    write_atomically(Path(folder) / GATES_FILE, json.dumps(rows, indent=2))


def read_gates(folder: str | os.PathLike, node: str = "") -> list[Gate]:
    """Reads what `write_gates` wrote.

    Args:
        folder: of the blessing.
        node: who asked.

    Raises:
        FileNotFoundError: the gate did not finish.
    """
    text = (Path(folder) / GATES_FILE).read_text(encoding="utf-8")
    rows = json.loads(text)
    return [
        Gate(**{**row, "interval": row.get("interval") and tuple(row["interval"])}, node=node)
        for row in rows
    ]


def write_marker(folder: str | os.PathLike, blessed: bool, names: tuple[str, str]) -> None:
    """Leaves the empty file by which TFX's own components know a verdict.

    Args:
        folder: of the blessing. That of an earlier attempt, with another verdict, is removed there.
        blessed: the verdict.
        names: of the file: of a no, of a yes.
    """
    Path(folder, names[not blessed]).unlink(missing_ok=True)
    Path(folder, names[blessed]).touch()
