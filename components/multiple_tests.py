"""Several tests with one error rate for all of them."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float], level: float) -> list[bool]:
    """Which of several tests are significant.

    Source: Holm, A simple sequentially rejective multiple test procedure (1979).

    Args:
        p_values: of tests that were made together.
        level: probability that any of those called significant is chance after all.
    """
    significant = [False] * len(p_values)
    for place, number in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[number] > level / (len(p_values) - place):
            break
        significant[number] = True
    return significant
