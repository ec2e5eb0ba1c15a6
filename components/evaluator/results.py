"""What the Evaluator measured, as a file beside TFMA's own that needs no TensorFlow to read.

<evaluation>/metrics.json   the metrics of the model and of the served one
"""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np

_METRICS_FILE = "metrics.json"


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Metrics of one model on the test split.

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


def write_metrics(evaluation_uri: str | os.PathLike, metrics: Metrics) -> None:
    """Writes `metrics.json` into the folder of an evaluation."""
    fields = {**vars(metrics), "confusion": metrics.confusion.tolist()}
    path = Path(evaluation_uri) / _METRICS_FILE
    path.write_text(json.dumps(fields), encoding="utf-8")


def read_metrics(evaluation_uri: str | os.PathLike) -> Metrics:
    """The metrics of an evaluation.

    Raises:
        FileNotFoundError: the evaluation did not finish.
    """
    fields = json.loads((Path(evaluation_uri) / _METRICS_FILE).read_text(encoding="utf-8"))
    return Metrics(**{**fields, "confusion": np.array(fields["confusion"], np.int64)})
