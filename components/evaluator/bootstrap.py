"""Bounds on what is no plain share: means over classes, AUC, calibration error.

The Bayesian bootstrap (Rubin 1981) weights the duplicate groups of the test split at random, with
exponential weights. A picture as bad as can be joins them with a weight of its own, per class where
classes are averaged: without it, a faultless test split would prove perfection. For a plain share
that gives the exact bound of Clopper and Pearson; for other means of bounded values Learned-Miller
and Thomas (A new confidence interval for the mean of a bounded random variable, 2019) conjecture
that it holds. `benchmarks/gates.py` measures how often it is wrong here.
"""

from collections.abc import Callable

import numpy as np

from components.evaluator import measures

# Below, a bound of this kind is not believed: a quantile of a few pictures' weights is coarse.
LEAST_GROUPS = 30
_REPLICATES = 2000
# Weights held at once: 40 MB.
_MOST_WEIGHTS = 5_000_000

# (labels [n], scores [n, classes], weights [replicates, n], bad [replicates, classes]) -> values
Statistic = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def interval(
    statistic: Statistic,
    labels: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray,
    confidence: float,
) -> tuple[float, float]:
    """Lower and upper bound of a measure, each of which holds with `confidence`.

    The worse end has the bad pictures in it, the better one is that of the bootstrap without them.

    Args:
        statistic: one of those below.
        labels: int [pictures], the true class.
        scores: float [pictures, classes], probabilities.
        groups: int [pictures], number of each picture's duplicate group, 0..groups-1.
        confidence: 0..1, exclusive.
    """
    random = np.random.default_rng(0)  # the same rows give the same verdict
    number, classes = groups.max() + 1, scores.shape[1]
    block = max(1, _MOST_WEIGHTS // len(labels))
    with_bad, without = [], []
    for start in range(0, _REPLICATES, block):
        count = min(block, _REPLICATES - start)
        weights = random.standard_exponential((count, number))[:, groups]
        # As heavy as a group of average size.
        bad = random.standard_exponential((count, classes)) * len(labels) / number
        with_bad.append(statistic(labels, scores, weights, bad))
        without.append(statistic(labels, scores, weights, np.zeros_like(bad)))
    ends = [np.nan_to_num(np.concatenate(values), nan=0.0) for values in (with_bad, without)]
    if statistic is calibration_error:
        return (
            float(np.quantile(ends[1], 1.0 - confidence)),
            float(np.quantile(ends[0], confidence)),
        )
    return float(np.quantile(ends[0], 1.0 - confidence)), float(np.quantile(ends[1], confidence))


def macro_recall(labels, scores, weights, bad) -> np.ndarray:
    """Mean recall over all classes; a class' bad picture is one that is not recognised."""
    of_class, given = _one_hot(labels, scores)
    return _mean_share(weights @ (of_class * given), weights @ of_class, bad)


def macro_precision(labels, scores, weights, bad) -> np.ndarray:
    """Mean precision over all classes; a class' bad picture is one wrongly given it."""
    of_class, given = _one_hot(labels, scores)
    return _mean_share(weights @ (of_class * given), weights @ given, bad)


def auc(labels, scores, weights, bad) -> np.ndarray:
    """Mean area under the ROC curve, each class against the rest.

    The bad pictures of a class are one of it that scores below all, and one of the others (with the
    next class' weight) that scores above all.
    """
    total = np.zeros(len(weights))
    for number in range(scores.shape[1]):
        values, rank = np.unique(scores[:, number], return_inverse=True)
        positive = (labels == number).astype(float)
        order = np.argsort(rank, kind="stable")
        starts = np.searchsorted(rank[order], np.arange(len(values)))
        positives = np.add.reduceat((weights * positive)[:, order], starts, axis=1)
        negatives = np.add.reduceat((weights * (1 - positive))[:, order], starts, axis=1)
        below = np.cumsum(negatives, axis=1) - negatives / 2
        wins = (positives * below).sum(axis=1)
        pairs = (positives.sum(axis=1) + bad[:, number]) * (
            negatives.sum(axis=1) + np.roll(bad, -1, axis=1)[:, number]
        )
        total += np.divide(wins, pairs, out=np.zeros_like(wins), where=pairs > 0)
    return total / scores.shape[1]


def calibration_error(labels, scores, weights, bad) -> np.ndarray:
    """Expected calibration error; the bad picture is one that is wrong and quite sure."""
    gaps, bins = measures.calibration_gaps(labels, scores)
    of_bin = weights @ (gaps[:, np.newaxis] * (bins[:, np.newaxis] == np.arange(measures.BINS)))
    extra = bad[:, 0]
    return (np.abs(of_bin).sum(axis=1) + extra) / (weights.sum(axis=1) + extra)


def _one_hot(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    classes = np.arange(scores.shape[1])
    given = scores.argmax(axis=1)
    return (
        (labels[:, np.newaxis] == classes).astype(float),
        (given[:, np.newaxis] == classes).astype(float),
    )


def _mean_share(right: np.ndarray, all_: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Mean over the classes; a class without pictures counts as 0, for nothing is known of it."""
    total = all_ + bad
    return np.divide(right, total, out=np.zeros_like(right), where=total > 0).mean(axis=1)
