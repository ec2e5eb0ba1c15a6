"""Exact bounds, against sums of binomial probabilities and published examples."""

import numpy as np
import pytest
import scipy.stats

from components.bounds import (
    largest_drop,
    lower_bound,
    pictures_needed,
    proved_worse,
    upper_bound,
)

pytestmark = pytest.mark.one_line


def wrongly_passed(threshold: float, count: int, confidence: float = 0.95) -> float:
    """Share of test splits on which a model exactly at the threshold would pass."""
    right = np.arange(count + 1)
    passes = [lower_bound(int(number), count, confidence) >= threshold for number in right]
    return scipy.stats.binom.pmf(right[passes], count, threshold).sum()


@pytest.mark.parametrize("count", [1, 30, 100, 300])
@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95])
def test_a_model_at_the_threshold_passes_at_most_as_often_as_promised(threshold, count):
    assert wrongly_passed(threshold, count) <= 0.05


def test_the_bound_is_not_more_careful_than_it_must():
    assert wrongly_passed(0.8, 300) > 0.04
    assert wrongly_passed(0.5, 300, confidence=0.8) > 0.16


def test_bounds_are_those_of_clopper_and_pearson():
    for right in (0, 1, 29, 30):
        test = scipy.stats.binomtest(right, 30, alternative="greater").proportion_ci(0.95)
        assert lower_bound(right, 30, 0.95) == pytest.approx(test.low)
    assert lower_bound(30, 30, 0.95) == pytest.approx(0.05 ** (1 / 30))
    assert lower_bound(196, 200, 0.95) == pytest.approx(scipy.stats.beta.ppf(0.05, 196, 5))
    assert upper_bound(0, 30, 0.95) == pytest.approx(1 - 0.05 ** (1 / 30))
    assert upper_bound(4, 200, 0.95) == pytest.approx(scipy.stats.beta.ppf(0.95, 5, 196))


def test_where_nothing_was_counted_nothing_is_proved():
    assert (lower_bound(0, 0, 0.95), upper_bound(0, 0, 0.95)) == (0, 1)
    assert largest_drop(0, 0, 0, 0.95) == 1
    assert proved_worse(0, 0) == 1


@pytest.mark.parametrize(
    ("share", "needed"), [(0.95, 59), (0.99, 299), (0.5, 5), (0.01, 1), (0.0, 1), (1.0, None)]
)
def test_pictures_that_a_proof_needs(share, needed):
    assert pictures_needed(share, 0.95) == needed
    if needed and needed > 1:
        assert lower_bound(needed, needed, 0.95) >= share
        assert lower_bound(needed - 1, needed - 1, 0.95) < share


@pytest.mark.parametrize("count", [2, 14, 59, 299])
def test_a_number_that_just_proves_a_share_is_enough(count):
    assert pictures_needed(lower_bound(count, count, 0.95), 0.95) == count


def test_mcnemar_counts_only_where_the_models_disagree():
    assert proved_worse(0, 5) == pytest.approx(1 / 32)
    assert proved_worse(5, 0) == 1
    assert proved_worse(5, 15) == pytest.approx(scipy.stats.binom.sf(14, 20, 0.5))
    assert proved_worse(15, 5) == pytest.approx(scipy.stats.binom.sf(4, 20, 0.5))


@pytest.mark.parametrize(("lost", "gained"), [(0.03, 0.01), (0.02, 0.0), (0.1, 0.08)])
def test_a_drop_as_large_as_the_margin_is_passed_at_most_as_often_as_promised(lost, gained):
    count, random = 200, np.random.default_rng(0)
    draws = random.multinomial(count, [gained, lost, 1 - gained - lost], 2000)
    bounds = [largest_drop(int(better), int(worse), count, 0.95) for better, worse, _ in draws]
    assert np.mean(np.array(bounds) <= lost - gained + 1e-12) <= 0.05


def test_each_half_of_a_drop_gets_half_of_the_error():
    proved = upper_bound(7, 200, 0.975) - lower_bound(4, 200, 0.975)
    assert largest_drop(4, 7, 200, 0.95) == pytest.approx(proved)
