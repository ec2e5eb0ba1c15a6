"""Fills the outputs of Report that the backend's own pages show, see `package.report_outputs`.

The pages read a page's file, and of metrics what the metadata store keeps of an artifact. The names
of fields are those that kfp's `ClassificationMetrics` writes and the pages read.
"""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components.classes import lowest_recall_first
from components.evaluator.results import Metrics, read_metrics
from components.predictions import Predictions, read_predictions
from components.report.page_files import PAGE_FILE
from components.text import one_line, printable
from pipeline.kubeflow.package.report_outputs import (
    CLASS_METRICS,
    CLASSIFICATION,
    METRICS,
    PAGE,
    TYPES,
)
from pipeline.kubeflow.step.executor_io import artifact_path

_Metadata = dict[str, Any]

# More would neither be readable nor fit what the metadata store takes at once.
_MOST_CLASSES, _MOST_POINTS = 60, 100
_OTHERS = "all others"
_LONGEST_NAME = 200  # the store takes 255, with the measure's


def fill(
    executor_output: dict[str, Any],
    executor_input: Mapping[str, Any],
    given: Mapping[str, Any],
    root: str,
) -> dict[str, Any]:
    """Writes the files of these outputs and adds them to what the step leaves.

    Args:
        executor_output: of the step; that of any other one is as it was.
        executor_input: of the step, with local paths.
        given: the same as the driver made it.
        root: see `artifact_paths.local_path`.
    """
    outputs = given["outputs"].get("artifacts", {})
    if PAGE not in outputs:
        return executor_output
    report = _folder(executor_input["outputs"], "report")
    told = _told(_folder(executor_input["inputs"], "evaluation"))
    filled = {}
    for key in TYPES:
        (artifact,) = outputs[key]["artifacts"]
        file = Path(artifact_path(artifact["uri"], root))
        file.parent.mkdir(parents=True, exist_ok=True)
        metadata = told.get(key, {})
        content = (
            (report / PAGE_FILE).read_bytes() if key == PAGE else json.dumps(metadata).encode()
        )
        file.write_bytes(content)
        filled[key] = {"artifacts": [{**artifact, "metadata": metadata}]}
    return {**executor_output, "artifacts": {**executor_output.get("artifacts", {}), **filled}}


def _told(evaluation: Path) -> dict[str, _Metadata]:
    """Metadata by output; what cannot be read is left out, because nothing stops a run here."""
    try:
        metrics, predictions = read_metrics(evaluation), read_predictions(evaluation)
    except Exception:
        logging.exception("No metrics for the pages of Kubeflow Pipelines")
        return {}
    return {
        METRICS: overall(metrics),
        CLASS_METRICS: per_class(metrics),
        CLASSIFICATION: {**confusion(metrics), **confidence(predictions)},
    }


def overall(metrics: Metrics) -> _Metadata:
    """The model's metrics, and those of the served one on the same pictures."""
    served = {f"served {name}": value for name, value in metrics.served.items()}
    return _numbers({**metrics.overall, **served})


def per_class(metrics: Metrics) -> _Metadata:
    """Precision and recall of the classes, those of the lowest recall where there are many.

    Those without pictures, whose recall nobody knows, come after the others.
    """
    known = lowest_recall_first(metrics.per_class)
    return _numbers(
        {
            f"{measure}, {one_line(name, _LONGEST_NAME)}": values[measure]
            for name, values in known[:_MOST_CLASSES]
            for measure in ("recall", "precision")
        }
    )


def confusion(metrics: Metrics) -> _Metadata:
    """The confusion matrix; of many classes those most often mistaken, the others as one."""
    names, matrix = [printable(name) for name in metrics.classes], metrics.confusion
    if len(names) > _MOST_CLASSES:
        mistakes = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * matrix.diagonal()
        shown = np.sort(np.argsort(-mistakes, kind="stable")[: _MOST_CLASSES - 1])
        place = np.full(len(names), len(shown))
        place[shown] = np.arange(len(shown))
        folded = np.zeros((len(shown) + 1, len(shown) + 1), np.int64)
        np.add.at(folded, (place[:, None], place[None, :]), matrix)
        names, matrix = [*(names[number] for number in shown), _OTHERS], folded
    return {
        "confusionMatrix": {
            "annotationSpecs": [{"displayName": name} for name in names],
            "rows": [{"row": row} for row in matrix.tolist()],
        }
    }


def confidence(predictions: Predictions) -> _Metadata:
    """The ROC curve of all (picture, class) pairs; nothing where there is none to draw."""
    from sklearn.metrics import roc_curve

    scores = predictions.candidate
    if not len(scores) or np.isnan(scores).any():
        return {}
    is_class = np.eye(scores.shape[1], dtype=bool)[predictions.labels]
    false, true, thresholds = roc_curve(is_class.ravel(), scores.ravel())
    points = np.unique(np.linspace(0, len(false) - 1, _MOST_POINTS).astype(int))
    return {
        "confidenceMetrics": [
            {
                # The first one is infinite, which JSON does not know.
                "confidenceThreshold": min(1.0, float(thresholds[point])),
                "falsePositiveRate": float(false[point]),
                "recall": float(true[point]),
            }
            for point in points
        ]
    }


def _numbers(values: Mapping[str, float]) -> _Metadata:
    """What the metadata store keeps: no NaN, no infinity; of names alike but for case the first."""
    kept: dict[str, tuple[str, float]] = {}
    for name, value in values.items():
        if math.isfinite(value):
            kept.setdefault(name.casefold(), (name, float(value)))
    return dict(kept.values())


def _folder(side: Mapping[str, Any], key: str) -> Path:
    (artifact,) = side["artifacts"][key]["artifacts"]
    return Path(artifact["uri"])
