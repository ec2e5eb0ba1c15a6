"""Metrics over the classes that TFMA lacks, or lacks in a form that fits pictures.

TFMA's precision and recall count a class as predicted only where its probability is above one half,
so with more than two classes they disagree with accuracy and with the confusion matrix. Its AUC
must be told the classes when the pipeline is built, before the pictures are read, and sorts every
class of every slice into thousands of bins, which takes minutes for a hundred classes.
"""

from collections.abc import Iterable

import apache_beam as beam
import numpy as np
import scipy.stats
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


def auc_per_class(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each class against the rest, exact, ties counted half.

    Args:
        labels: int [pictures], the true class.
        scores: float [pictures, classes].

    Returns:
        float64 [classes], 0..1; NaN where a class has no pictures, or all of them.
    """
    is_class = labels[:, np.newaxis] == np.arange(scores.shape[1])
    positives = is_class.sum(axis=0)
    pairs = positives * (len(labels) - positives)
    ranks = scipy.stats.rankdata(scores, axis=0)
    wins = (ranks * is_class).sum(axis=0) - positives * (positives + 1) / 2
    return np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


class MacroRecall(metric_types.Metric):
    """Mean of `recall_per_class` over the classes that have pictures."""

    def __init__(self, name: str = "macro_recall"):
        super().__init__(metric_util.merge_per_key_computations(_recall_computations), name=name)


class MacroPrecision(metric_types.Metric):
    """Mean of `precision_per_class` over the classes that have pictures."""

    def __init__(self, name: str = "macro_precision"):
        super().__init__(metric_util.merge_per_key_computations(_precision_computations), name=name)


class MacroAuc(metric_types.Metric):
    """Mean of `auc_per_class` over the classes that have one."""

    def __init__(self, name: str = "auc"):
        super().__init__(metric_util.merge_per_key_computations(_auc_computations), name=name)


def _recall_computations(name, eval_config=None, model_name="", example_weighted=False):
    return _macro_computations(recall_per_class, name, eval_config, model_name, example_weighted)


def _precision_computations(name, eval_config=None, model_name="", example_weighted=False):
    return _macro_computations(precision_per_class, name, eval_config, model_name, example_weighted)


def _macro_computations(per_class, name, eval_config, model_name, example_weighted):
    computations = multi_class_confusion_matrix_metrics.multi_class_confusion_matrices(
        thresholds=[_THRESHOLD],
        # A name of its own: TFMA would take a matrix of other thresholds for the same one.
        name="_most_probable_class_counts",
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
        return {key: _mean(per_class(confusion))}

    return [*computations, metric_types.DerivedMetricComputation(keys=[key], result=result)]


def _to_array(entries: dict) -> np.ndarray:
    """TFMA's sparse counts by (true, predicted) as a dense matrix, as large as they need."""
    size = 1 + max(max(entry) for entry in entries)
    confusion = np.zeros([size, size])
    for (true, predicted), count in entries.items():
        confusion[true, predicted] = count
    return confusion


def _auc_computations(name, eval_config=None, model_name="", example_weighted=False):
    key = metric_types.MetricKey(
        name=name, model_name=model_name, example_weighted=example_weighted
    )
    combiner = _AucCombiner(key, eval_config)
    return [metric_types.MetricComputation(keys=[key], preprocessors=None, combiner=combiner)]


class _AucCombiner(beam.CombineFn):
    """Gathers labels and scores, 4 bytes per picture and class, and ranks them in the end."""

    def __init__(self, key: metric_types.MetricKey, eval_config):
        self._key = key
        self._eval_config = eval_config

    def create_accumulator(self) -> tuple[list[int], list[np.ndarray]]:
        return [], []

    def add_input(self, accumulator, element: metric_types.StandardMetricInputs):
        labels, scores = accumulator
        for label, prediction, _ in metric_util.to_label_prediction_example_weight(
            element, self._eval_config, self._key.model_name, flatten=False
        ):
            labels.append(label.item())
            scores.append(prediction.astype(np.float32))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable):
        labels, scores = self.create_accumulator()
        for more_labels, more_scores in accumulators:
            labels += more_labels
            scores += more_scores
        return labels, scores

    def extract_output(self, accumulator) -> dict[metric_types.MetricKey, float]:
        labels, scores = accumulator
        return {self._key: _mean(auc_per_class(np.array(labels), np.stack(scores)))}


def _mean(values: np.ndarray) -> float:
    """Mean of those that are not NaN; NaN if none is."""
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
