"""Classes that are taken for each other, out of a confusion matrix too large to be read."""

import numpy as np
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import squareform

# Classes are together where, along their links, at least this share of one's pictures is mixed up.
_LEAST_SHARE = 0.05


def clusters(confusion: np.ndarray) -> tuple[np.ndarray, list[list[int]]]:
    """Orders classes so that those taken for each other stand side by side.

    Args:
        confusion: int64 [classes, classes], pictures; rows true, columns answers.

    Returns:
        The classes in that order, int64 [classes]; and the groups of two or more of which at least
        a twentieth of the pictures is taken for another one's, that with the most mistakes first.
    """
    counts = confusion.sum(axis=1)
    mixed = confusion / np.maximum(counts, 1)[:, None]
    likeness = np.maximum(mixed, mixed.T)
    if len(likeness) < 2:
        return np.arange(len(likeness)), []
    # Of the diagonal nothing is looked at.
    links = linkage(squareform(1.0 - likeness, checks=False), "average")
    found = fcluster(links, 1.0 - _LEAST_SHARE, "distance")
    groups = [np.flatnonzero(found == number) for number in np.unique(found)]

    def mistakes(group: np.ndarray) -> int:
        part = confusion[np.ix_(group, group)]
        return int(part.sum() - part.trace())

    shown = sorted(groups, key=mistakes, reverse=True)
    return leaves_list(links), [group.tolist() for group in shown if mistakes(group)]
