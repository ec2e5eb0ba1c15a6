"""Distances, tests, and Holm's correction."""

import numpy as np
import pandas as pd
import pytest

from components.data_gate.distances import (
    Difference,
    category_difference,
    difference,
    significant,
)


def test_numbers_are_compared_by_kolmogorov_smirnov():
    found = difference("width", pd.Series([3, 4, 5, 6] * 50), pd.Series([1, 2, 3, 4] * 50))
    assert found.distance == pytest.approx(0.5) and found.p_value < 1e-9
    assert str(found) == "width 0.50 (median 4.5 instead of 2.5)"
    assert difference("width", pd.Series([1, 2] * 9), pd.Series([1, 2] * 9)).distance == 0


def test_categories_are_compared_by_total_variation_and_a_new_one_counts():
    found = category_difference("format", pd.Series(["PNG"] * 30), pd.Series(["JPEG", "PNG"] * 15))
    assert found.distance == pytest.approx(0.5) and found.p_value < 1e-4
    assert found.detail == "'JPEG' 0.0% instead of 50.0%"
    both = (pd.Series(["PNG"] * png + ["JPEG"] * jpeg) for png, jpeg in ((30, 10), (25, 15)))
    detail = category_difference("format", *both).detail
    assert detail == "'JPEG' 25.0% instead of 37.5%", "of two equal changes the first by name"
    same = category_difference("format", pd.Series(["PNG"] * 3), pd.Series(["PNG"] * 9))
    assert (same.distance, same.p_value) == (0, 1)


def test_an_orientation_is_a_category_although_it_is_a_number():
    found = difference("orientation", pd.Series([1, 8] * 30), pd.Series([3, 6] * 30))
    assert found.distance == 1, "as numbers they would be half as far apart"


def test_a_fact_that_was_number_and_is_text_does_not_break_the_comparison():
    assert difference("width", pd.Series([1, 2] * 9), pd.Series(["1", "2"] * 9)).distance == 0


def test_an_empty_sample_is_not_compared():
    numbers, nothing = pd.Series([1.0, 2.0]), pd.Series([np.nan, np.nan])
    assert difference("width", numbers, nothing) is None
    assert difference("width", nothing, numbers) is None


def test_holm_keeps_what_bonferroni_would_drop_and_nothing_after_the_first_chance():
    found = [
        Difference(name, distance, p_value, "")
        for name, distance, p_value in [
            ("a", 0.1, 0.012),  # 3 x 0.012 < 0.05
            ("b", 0.9, 0.020),  # 2 x 0.020 < 0.05; Bonferroni: 3 x 0.020
            ("c", 0.5, 0.060),
        ]
    ]
    assert [one.name for one in significant(found, 0.05)] == ["b", "a"]
    worse = [Difference("first", 1.0, 0.03, ""), Difference("second", 1.0, 0.04, "")]
    assert significant(worse, 0.05) == [], "2 x 0.03 is chance: 1 x 0.04 is not looked at"
    assert significant([], 0.05) == []


def test_of_forty_equal_data_sets_at_most_a_few_alarm():
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(40):
        ours, theirs = (pd.DataFrame(rng.normal(size=(80, 10))) for _ in range(2))
        found = [difference(str(name), ours[name], theirs[name]) for name in ours]
        alarms += bool(significant(found, 0.05))
    assert alarms <= 4
