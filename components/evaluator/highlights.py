"""Which pictures of a test split are worth looking at, by what the models made of them.

The page shows them, and the Evaluator keeps thumbnails of these and no others. Each function gives
numbers of rows, int64 [at most `most`], the one to look at first in front.
"""

from collections.abc import Sequence

import numpy as np

from components.predictions import Predictions

MOST_KEPT = 300
"""Thumbnails that the Evaluator keeps of a test split."""

# Of each kind, before the right ones fill up.
_MISTAKES, _UNSURE, _SUSPECTS, _CHANGED = 60, 40, 30, 40
_RIGHT_OF_A_CLASS = 3
_EXPLAINED = 12


def worst_mistakes(predictions: Predictions, most: int) -> np.ndarray:
    """Wrong ones, the surest first."""
    wrong = np.flatnonzero(~predictions.right)
    return wrong[np.argsort(-predictions.sure[wrong], kind="stable")][:most]


def least_sure(predictions: Predictions, most: int) -> np.ndarray:
    """Those of the lowest highest probability."""
    return np.argsort(predictions.sure, kind="stable")[:most]


def suspected_labels(predictions: Predictions, most: int) -> np.ndarray:
    """Those whose label is probably wrong, the least probable label first.

    They are the off-diagonal of the confident joint (Northcutt, Jiang and Chuang 2021): the answer
    is another class, and as sure of it as it is, on average, of pictures that bear that label.
    """
    labels, scores = predictions.labels, predictions.candidate
    given = predictions.given
    own = scores[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=scores.shape[1])
    usual = np.bincount(labels, own, minlength=scores.shape[1]) / np.maximum(counts, 1)
    # Of a class without pictures nothing is known that a label could be held against.
    found = np.flatnonzero(
        ~predictions.right & (counts[given] > 0) & (predictions.sure >= usual[given])
    )
    return found[np.argsort(own[found], kind="stable")][:most]


def right_ones(predictions: Predictions, most: int) -> np.ndarray:
    """The surest right one of each class, then the second of each, and the third."""
    rows = np.flatnonzero(predictions.right)
    rows = rows[np.argsort(-predictions.sure[rows], kind="stable")]
    seen: dict[int, int] = {}
    places = []
    for label in predictions.labels[rows].tolist():
        places.append(seen.get(label, 0))
        seen[label] = places[-1] + 1
    order = np.lexsort((np.arange(len(rows)), places))
    return rows[order[: sum(place < _RIGHT_OF_A_CLASS for place in places)]][:most]


def changed(predictions: Predictions, most: int, compared: np.ndarray | bool = True) -> np.ndarray:
    """Those that exactly one of both models has right, in the order of the rows.

    At most half of them got better, and half got worse; none where nothing was served.

    Args:
        predictions: of both models.
        most: how many.
        compared: bool [pictures], those that the served model has not learnt; True: all.
    """
    if predictions.served is None:
        return np.zeros(0, np.int64)
    right, served = predictions.right, predictions.served_right
    worse = np.flatnonzero(served & ~right & compared)
    better = np.flatnonzero(right & ~served & compared)
    return np.concatenate([worse[: most // 2], better[: most // 2]])


def to_keep(
    predictions: Predictions, most: int = MOST_KEPT, compared: np.ndarray | bool = True
) -> np.ndarray:
    """Those of which a page may show a thumbnail, each once; see `changed`."""
    kinds: Sequence[np.ndarray] = (
        worst_mistakes(predictions, _MISTAKES),
        least_sure(predictions, _UNSURE),
        suspected_labels(predictions, _SUSPECTS),
        changed(predictions, 2 * _CHANGED, compared),
        right_ones(predictions, most),
    )
    return np.array(list(dict.fromkeys(np.concatenate(kinds).tolist())), np.int64)[:most]


def to_explain(predictions: Predictions, compared: np.ndarray | bool = True) -> np.ndarray:
    """Those of which a page shows where the network looked: the wrong and the least sure."""
    worse = changed(predictions, 2 * _EXPLAINED, compared)
    kinds = (
        worst_mistakes(predictions, _EXPLAINED),
        least_sure(predictions, _EXPLAINED),
        suspected_labels(predictions, _EXPLAINED),
        worse[~predictions.right[worse]],
    )
    return np.array(list(dict.fromkeys(np.concatenate(kinds).tolist())), np.int64)
