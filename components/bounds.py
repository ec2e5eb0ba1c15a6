"""What a count of right answers proves: exact bounds and tests, without TensorFlow.

All bounds are one-sided: they are wrong in at most 1 - `confidence` of all test splits.
"""

import math

from scipy.special import betainc, betaincinv


def lower_bound(right: int, count: int, confidence: float) -> float:
    """The share that is proved at least (Clopper and Pearson 1934); 0 where nothing was counted.

    As `scipy.stats.binomtest(right, count, alternative="greater").proportion_ci(confidence)`, which
    searches for it, a thousand times slower.

    Args:
        right: how many of the pictures are right.
        count: how many there are.
        confidence: 0..1, exclusive.
    """
    if not right:
        return 0.0
    return float(betaincinv(right, count - right + 1, 1.0 - confidence))


def upper_bound(right: int, count: int, confidence: float) -> float:
    """The share that is proved at most; 1 where nothing was counted. See `lower_bound`."""
    return 1.0 - lower_bound(count - right, count, confidence)


def pictures_needed(share: float, confidence: float) -> int | None:
    """The fewest pictures of which all must be right to prove a share; None if no number does.

    The bound of n faultless pictures is (1 - confidence)^(1/n).
    """
    if share >= 1.0:
        return None
    if share <= 0.0:
        return 1
    count = math.ceil(math.log(1.0 - confidence) / math.log(share)) - 1
    while lower_bound(count, count, confidence) < share:
        count += 1
    return count


def proved_worse(better: int, worse: int) -> float:
    """p-value of McNemar's exact test, one-sided: small where the new model is the worse one.

    Of the pictures on which exactly one of both models is right, half would be the new model's if
    both were equally good (McNemar 1947).

    Args:
        better: pictures that the new model alone has right.
        worse: pictures that the old model alone has right.
    """
    # As `scipy.stats.binomtest(worse, better + worse, 0.5, alternative="greater").pvalue`.
    return float(betainc(worse, better + 1, 0.5)) if worse else 1.0


def largest_drop(better: int, worse: int, count: int, confidence: float) -> float:
    """By how much the accuracy is proved to have dropped at most; 1 where nothing was counted.

    The share that got worse less the share that got better, with an exact bound on each at half of
    the error (Bonferroni): never wrong more often than promised, and a little larger than need be.

    Args:
        better: pictures that the new model alone has right.
        worse: pictures that the old model alone has right.
        count: all pictures.
        confidence: 0..1, exclusive.
    """
    half = 0.5 + confidence / 2
    return upper_bound(worse, count, half) - lower_bound(better, count, half)
