"""What the Evaluator measured, as files beside TFMA's own that need no TensorFlow to read.

<evaluation>/metrics.json    the metrics of the model and of the served one
<evaluation>/changes.jsonl   the pictures that got better or worse, one per line
"""

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from components import features
from components.evaluator import measures
from components.evaluator.absolute import interval_95
from components.evaluator.config import EvaluationSettings
from components.evaluator.paired import Change
from components.files import write_atomically
from components.predictions import Predictions

CHANGES_FILE = "changes.jsonl"


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Metrics of one model on the test split.

    Attributes:
        classes: class names, in the order of the rows of `confusion`.
        overall: metric name to value: `accuracy`, `loss`, `example_count`, ...; `share_sure` and
            `accuracy_when_sure` where the model abstains, `label_set_coverage` and `label_set_size`
            (mean number of classes) where it gives label sets.
        served: the same of the served model on the same pictures; empty if not compared.
        per_class: class name to `precision` and `recall` (0..1, NaN without pictures), `interval`,
            the exact bounds of the recall at 95 %, and `count`, the number of its pictures.
        confusion: int64 [classes, classes], number of pictures; rows true, columns predicted.
    """

    classes: list[str]
    overall: dict[str, float]
    served: dict[str, float]
    per_class: dict[str, dict[str, float]]
    confusion: np.ndarray


def make_metrics(predictions: Predictions, settings: EvaluationSettings) -> Metrics:
    """Measures the model and the served one."""
    labels, given, top_k = predictions.labels, predictions.given, settings.top_k
    confusion = measures.confusion_matrix(labels, given, len(predictions.classes))
    columns = zip(
        measures.precision_per_class(confusion).tolist(),
        measures.recall_per_class(confusion).tolist(),
        [
            list(interval_95(predictions, labels == number))
            for number in range(len(predictions.classes))
        ],
        confusion.sum(axis=1).tolist(),
        strict=True,
    )
    served = {}
    if predictions.served is not None:
        served = _overall(labels, predictions.served, predictions.served_given, top_k)
    return Metrics(
        classes=predictions.classes,
        overall=_overall(labels, predictions.candidate, given, top_k) | hedges(predictions),
        served=served,
        per_class={
            name: dict(zip(("precision", "recall", "interval", "count"), row, strict=True))
            for name, row in zip(predictions.classes, columns, strict=True)
        },
        confusion=confusion,
    )


def write_metrics(evaluation: str | os.PathLike, metrics: Metrics) -> None:
    """Writes `metrics.json` into the folder of an evaluation."""
    fields = {**vars(metrics), "confusion": metrics.confusion.tolist()}
    write_atomically(Path(evaluation) / features.METRICS_FILE, json.dumps(fields))


def read_metrics(evaluation: str | os.PathLike) -> Metrics:
    """The metrics of an evaluation.

    Raises:
        FileNotFoundError: the evaluation did not finish.
    """
    fields = json.loads((Path(evaluation) / features.METRICS_FILE).read_text(encoding="utf-8"))
    return Metrics(**{**fields, "confusion": np.array(fields["confusion"], np.int64)})


def write_changes(evaluation: str | os.PathLike, changes: Iterable[Change]) -> None:
    """Writes `changes.jsonl`: pictures that exactly one of the models has right."""
    lines = [json.dumps(vars(change), ensure_ascii=False) + "\n" for change in changes]
    write_atomically(Path(evaluation) / CHANGES_FILE, "".join(lines))


def hedges(predictions: Predictions) -> dict[str, float]:
    """What a model says of how sure it is, and what comes of it; see `Metrics.overall`.

    NaN where there are no pictures to measure it on.
    """
    right, found = predictions.right, {}
    if predictions.unsure is not None:
        sure = ~predictions.unsure
        found |= {"share_sure": _mean(sure), "accuracy_when_sure": _mean(right[sure])}
    if predictions.in_label_set is not None:
        sets = predictions.in_label_set
        inside = sets[np.arange(len(sets)), predictions.labels]
        found |= {"label_set_coverage": _mean(inside), "label_set_size": _mean(sets.sum(axis=1))}
    return found


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _overall(
    labels: np.ndarray, scores: np.ndarray, given: np.ndarray, top_k: int
) -> dict[str, float]:
    """NaN where there are no pictures."""
    if not len(labels):
        names = ("loss", "accuracy", "top_k_accuracy", "auc", "macro_precision", "macro_recall")
        return {"example_count": 0.0, **dict.fromkeys((*names, "calibration_error"), float("nan"))}
    places = measures.ranks(labels, scores)
    confusion = measures.confusion_matrix(labels, given, scores.shape[1])
    return {
        "example_count": float(len(labels)),
        "loss": measures.loss(labels, scores),
        "accuracy": float((places == 0).mean()),
        "top_k_accuracy": float((places < top_k).mean()),
        "auc": measures.mean(measures.auc_per_class(labels, scores)),
        "macro_precision": measures.mean(measures.precision_per_class(confusion)),
        "macro_recall": measures.mean(measures.recall_per_class(confusion)),
        "calibration_error": measures.calibration_error(labels, scores),
    }
