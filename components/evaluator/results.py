"""What the Evaluator found, as files beside TFMA's own that need no TensorFlow to read.

<evaluation>/gates.json     one row per bound
<evaluation>/metrics.json   the figures of the model and of the served one
"""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np

from components.gates import Gate, write_gates
from components.gates import read_gates as _read_gates

GATES_FILE = "gates.json"
_METRICS_FILE = "metrics.json"


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Figures of one model on the test split.

    Attributes:
        classes: class names, in the order of the rows of `confusion`.
        overall: metric name to value: `accuracy`, `loss`, `example_count`, ...
        served: the same of the served model on the same pictures; empty if not compared.
        per_class: class name to `precision` and `recall` (0..1, NaN without pictures) and `count`,
            the number of its pictures.
        confusion: int64 [classes, classes], number of pictures; rows true, columns predicted.
    """

    classes: list[str]
    overall: dict[str, float]
    served: dict[str, float]
    per_class: dict[str, dict[str, float]]
    confusion: np.ndarray


def write(evaluation: Path, gates: list[Gate], metrics: Metrics) -> None:
    """Writes both files into the folder of an evaluation."""
    write_gates(evaluation / GATES_FILE, gates)
    fields = {**vars(metrics), "confusion": metrics.confusion.tolist()}
    (evaluation / _METRICS_FILE).write_text(json.dumps(fields), encoding="utf-8")


def read_gates(evaluation_uri: str | os.PathLike) -> list[Gate]:
    """One row per bound of an evaluation, kept or not.

    Raises:
        FileNotFoundError: the evaluation did not finish.
    """
    return _read_gates(Path(evaluation_uri) / GATES_FILE)


def read_metrics(evaluation_uri: str | os.PathLike) -> Metrics:
    """The figures of an evaluation.

    Raises:
        FileNotFoundError: the evaluation did not finish.
    """
    fields = json.loads((Path(evaluation_uri) / _METRICS_FILE).read_text(encoding="utf-8"))
    return Metrics(**{**fields, "confusion": np.array(fields["confusion"], np.int64)})
