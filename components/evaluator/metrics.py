"""Metrics that TFMA lacks: precision and recall of the most probable class, class by class.

TFMA's own count a class as predicted only where its probability is above one half, so with more
than two classes they disagree with accuracy and with the confusion matrix.
"""

import numpy as np
from tensorflow_model_analysis.metrics import (
    metric_types,
    metric_util,
    multi_class_confusion_matrix_metrics,
)

# At threshold 0 the most probable class counts as predicted, however unsure.
_THRESHOLD = 0.0


def recall_per_class(confusion: np.ndarray) -> np.ndarray:
    """Share of each class' pictures that were recognised.

    Args:
        confusion: counts [classes, classes], rows true and columns predicted.

    Returns:
        float64 [classes], 0..1; NaN for a class without pictures.
    """
    pictures = confusion.sum(axis=1)
    return np.divide(
        np.diag(confusion), pictures, out=np.full(len(pictures), np.nan), where=pictures > 0
    )


def precision_per_class(confusion: np.ndarray) -> np.ndarray:
    """Share of right ones among the pictures that were given each class.

    Args:
        confusion: counts [classes, classes], rows true and columns predicted.

    Returns:
        float64 [classes], 0..1; 0 for a class that was never predicted; NaN for a class without
        pictures.
    """
    pictures, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    precision = np.divide(
        np.diag(confusion), predicted, out=np.zeros(len(predicted)), where=predicted > 0
    )
    return np.where(pictures > 0, precision, np.nan)


class MacroRecall(metric_types.Metric):
    """Mean of `recall_per_class` over the classes that have pictures."""

    def __init__(self, name: str = "macro_recall"):
        super().__init__(metric_util.merge_per_key_computations(_recall_computations), name=name)


class MacroPrecision(metric_types.Metric):
    """Mean of `precision_per_class` over the classes that have pictures."""

    def __init__(self, name: str = "macro_precision"):
        super().__init__(metric_util.merge_per_key_computations(_precision_computations), name=name)


def _recall_computations(name, eval_config=None, model_name="", example_weighted=False):
    return _macro_computations(recall_per_class, name, eval_config, model_name, example_weighted)


def _precision_computations(name, eval_config=None, model_name="", example_weighted=False):
    return _macro_computations(precision_per_class, name, eval_config, model_name, example_weighted)


def _macro_computations(per_class, name, eval_config, model_name, example_weighted):
    computations = multi_class_confusion_matrix_metrics.multi_class_confusion_matrices(
        thresholds=[_THRESHOLD],
        eval_config=eval_config,
        model_name=model_name,
        example_weighted=example_weighted,
    )
    counts_key = computations[-1].keys[-1]
    key = metric_types.MetricKey(
        name=name, model_name=model_name, example_weighted=example_weighted
    )

    def result(metrics):
        confusion = _to_array(metrics[counts_key][_THRESHOLD])
        return {key: float(np.nanmean(per_class(confusion)))}

    return [*computations, metric_types.DerivedMetricComputation(keys=[key], result=result)]


def _to_array(entries: dict) -> np.ndarray:
    """TFMA's sparse counts by (true, predicted) as a dense matrix, as large as they need."""
    size = 1 + max(max(entry) for entry in entries)
    confusion = np.zeros([size, size])
    for (true, predicted), count in entries.items():
        confusion[true, predicted] = count
    return confusion
