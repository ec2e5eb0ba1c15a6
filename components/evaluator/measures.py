"""Measures of a model's answers, from labels and probabilities alone."""

import numpy as np
import scipy.stats

# Of the calibration error: as many ranges of the highest probability, equally wide.
BINS = 15
# Keras clips probabilities before it takes their logarithm.
_EPSILON = 1e-7


def ranks(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Place of the true class among the most probable: 0 is the first.

    Of equally probable classes the one that comes first in the list is the first, as for argmax.
    Where a probability is no number, the true class comes after any place.

    Args:
        labels: int [pictures], the true class.
        scores: float [pictures, classes].

    Returns:
        int [pictures].
    """
    rows = np.arange(len(labels))
    own = scores[rows, labels][:, np.newaxis]
    earlier = np.arange(scores.shape[1]) < labels[:, np.newaxis]
    places = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    return np.where(np.isnan(scores).any(axis=1), np.iinfo(places.dtype).max, places)


def loss(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean cross-entropy in nats, as Keras has it."""
    own = scores[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(own, _EPSILON, 1 - _EPSILON)).mean())


def confusion_matrix(labels: np.ndarray, given: np.ndarray, classes: int) -> np.ndarray:
    """int64 [classes, classes], number of pictures; rows true, columns predicted."""
    confusion = np.zeros([classes, classes], np.int64)
    np.add.at(confusion, (labels, given), 1)
    return confusion


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
    places = scipy.stats.rankdata(scores, axis=0)
    wins = (places * is_class).sum(axis=0) - positives * (positives + 1) / 2
    return np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def calibration_gaps(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right (1) or not (0) less the highest probability, and the bin of that probability.

    Returns:
        float [pictures], -1..1, and int [pictures], 0..14.
    """
    sure = scores.max(axis=1).astype(float)
    gaps = (scores.argmax(axis=1) == labels) - sure
    # What is no number has to be in some bin; its gap says that it is none.
    return gaps, np.minimum((np.nan_to_num(sure) * BINS).astype(int), BINS - 1)


def calibration_error(labels: np.ndarray, scores: np.ndarray) -> float:
    """Expected calibration error of the most probable class, 0..1 (Naeini et al. 2015)."""
    gaps, bins = calibration_gaps(labels, scores)
    return float(np.abs(np.bincount(bins, gaps, BINS)).sum() / len(labels))


def mean(values: np.ndarray) -> float:
    """Mean of those that are not NaN; NaN if none is."""
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
