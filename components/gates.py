"""One question a model must pass before it is served, and the file that keeps the answers."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Gate:
    """The answer to one question.

    Attributes:
        name: what was asked, such as `accuracy`.
        passed: the answer.
        value: what was measured; None where nothing could be measured.
        bound: the limit that `value` was held against; None where there is no number to compare.
        message: one line for the release owner.
    """

    name: str
    passed: bool
    value: float | None
    bound: float | None
    message: str


def write_gates(path: Path, gates: Iterable[Gate]) -> None:
    """Writes `gates` to the JSON file `path`."""
    rows = [dataclasses.asdict(gate) for gate in gates]
    Path(path).write_text(json.dumps(rows, indent=2), encoding="utf-8")


def read_gates(path: Path) -> list[Gate]:
    """Reads what `write_gates` wrote.

    Raises:
        FileNotFoundError: `path` does not exist.
    """
    return [Gate(**row) for row in json.loads(Path(path).read_text(encoding="utf-8"))]
