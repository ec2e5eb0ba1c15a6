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
from components.predictions import most_probable

# Below, a bound of this kind is not believed: a quantile of a few pictures' weights is coarse.
LEAST_GROUPS = 30
_REPLICATES = 4000
# Weights held at once: 20 MB.
_MOST_WEIGHTS = 5_000_000

# (labels [n], scores [n, classes], weights [replicates, n], weights of the bad pictures, below 0
# where they are good ones [..., replicates, classes]) -> values [..., replicates]
Statistic = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def interval(
    statistic: Statistic,
    labels: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray,
    confidence: float,
) -> tuple[float, float]:
    """Lower and upper bound of a measure, each of which holds with `confidence`.

    The worse end has the bad pictures in it, the better one as many that are as good as can be.

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
    values = []
    for start in range(0, _REPLICATES, block):
        count = min(block, _REPLICATES - start)
        weights = random.standard_exponential((count, number), np.float32)[:, groups]
        # As heavy as a group of average size.
        bad = random.standard_exponential((count, classes), np.float32) * len(labels) / number
        values.append(statistic(labels, scores, weights, np.stack([bad, -bad])))
    with_bad, with_good = np.clip(np.concatenate(values, axis=1), 0.0, 1.0)  # float32 sums
    if statistic is calibration_error:  # of which more is worse
        ends = np.quantile(with_good, 1.0 - confidence), np.quantile(with_bad, confidence)
    else:
        ends = np.quantile(with_bad, 1.0 - confidence), np.quantile(with_good, confidence)
    return float(ends[0]), float(ends[1])


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
    next class' weight) that scores above all; the good ones the other way round.
    """
    total = np.zeros(bad.shape[:-1])
    by_picture = np.ascontiguousarray(weights.T)  # sorting rows is ten times faster than columns
    for number in range(scores.shape[1]):
        order = np.argsort(scores[:, number], kind="stable")
        values, positive = scores[order, number], labels[order] == number
        ordered = by_picture[order]
        negatives = np.zeros((len(order) + 1, len(weights)), np.float32)
        np.cumsum(ordered * ~positive[:, np.newaxis], axis=0, out=negatives[1:])
        own = values[positive]
        # Equal scores count half: the mean of those below and of those not above.
        below = negatives[np.searchsorted(values, own, side="left")]
        below += negatives[np.searchsorted(values, own, side="right")]
        wins = np.einsum("pr,pr->r", ordered[positive], below) / 2
        positives = ordered[positive].sum(axis=0)
        own, other = bad[..., number], np.roll(bad, -1, axis=-1)[..., number]
        pairs = (positives + np.abs(own)) * (negatives[-1] + np.abs(other))
        # Good ones win over all the others.
        good, other = np.maximum(-own, 0), np.maximum(-other, 0)
        wins = wins + good * (negatives[-1] + other) + positives * other
        total += np.divide(wins, pairs, out=np.zeros(pairs.shape), where=pairs > 0)
    return total / scores.shape[1]


def calibration_error(labels, scores, weights, bad) -> np.ndarray:
    """Expected calibration error; the bad picture is one that is wrong and quite sure.

    With a good one it is the least error: what was measured, less how far the weights move the gaps
    of the bins (by the triangle inequality), which chance alone opens, the wider the fewer
    pictures.
    """
    gaps, bins = measures.calibration_gaps(labels, scores)
    by_bin = gaps[:, np.newaxis] * (bins[:, np.newaxis] == np.arange(measures.BINS))
    measured = by_bin.mean(axis=0)
    extra, total = np.maximum(bad[..., 0], 0), weights.sum(axis=1)

    def added_up(by_bin: np.ndarray) -> np.ndarray:
        return np.abs(weights @ by_bin.astype(np.float32)).sum(axis=1)

    least = np.abs(measured).sum() - added_up(by_bin - measured) / total
    return np.where(extra > 0, (added_up(by_bin) + extra) / (total + extra), least)


def _one_hot(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    classes = np.arange(scores.shape[1])
    given = most_probable(labels, scores)
    return (
        (labels[:, np.newaxis] == classes).astype(np.float32),
        (given[:, np.newaxis] == classes).astype(np.float32),
    )


def _mean_share(right: np.ndarray, all_: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Mean over the classes; a class without pictures, also bad or good ones, counts as 0."""
    total = all_ + np.abs(bad)
    return np.divide(
        right + np.maximum(-bad, 0), total, out=np.zeros(total.shape), where=total > 0
    ).mean(axis=-1)
