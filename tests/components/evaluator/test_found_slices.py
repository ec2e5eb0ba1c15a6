"""Slices that nobody named: what is there is found, what is not is not."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from components.evaluator import found_slices
from components.evaluator.found_slices import find_slices, found_slices_gate

pytestmark = pytest.mark.one_line
FACTS = ("brightness", "contrast", "sharpness", "width")


def made_up(seed, count=1000):
    random = np.random.default_rng(seed)
    pictures = pd.DataFrame({name: random.normal(size=count) for name in FACTS})
    pictures["column_camera"] = random.choice(list("abcdefghij"), count)
    return random, pictures


def found(pictures, wrong, groups=None):
    return find_slices(pictures, wrong, np.arange(len(wrong)) if groups is None else groups, 0.95)


@pytest.mark.parametrize("by", ["fact", "column"])
def test_a_tenth_with_many_errors_is_found(by):
    hits = 0
    for seed in range(10):
        random, pictures = made_up(seed)
        dark = pictures.brightness < pictures.brightness.quantile(0.1)
        planted = (dark if by == "fact" else pictures.column_camera == "c").to_numpy()
        wrong = random.random(1000) < np.where(planted, 0.25, 0.03)
        hits += any((one.rows & planted).sum() > 0.5 * one.rows.sum()
                    for one in found(pictures, wrong))  # fmt: skip
    assert hits >= 9


def test_where_errors_are_anywhere_nothing_is_found():
    hits = 0
    for seed in range(20):
        random, pictures = made_up(seed)
        hits += bool(found(pictures, random.random(1000) < 0.05))
    assert hits <= 3


def test_copies_of_one_picture_are_no_discovery():
    _, pictures = made_up(0, 300)
    copies = np.arange(300) < 30
    pictures.loc[copies, list(FACTS)] = 9.0
    groups = np.where(copies, 0, np.arange(300))
    assert not found(pictures, copies | (np.arange(300) % 40 == 0), groups)


def test_it_is_shown_and_stops_nothing(predict):
    labels = np.arange(600) % 3
    camera = np.where(np.arange(600) % 10 == 0, "b", "a")
    given = np.where(camera == "b", (labels + 1) % 3, labels)
    row = found_slices_gate(predict(labels, given, column_camera=camera), 0.95)
    assert row.verdict == "warn"
    assert row.message.startswith("worse than elsewhere: camera=b: 1 wrong of ")
    row = found_slices_gate(predict(labels, labels, column_camera=camera), 0.95)
    assert (row.verdict, row.message) == (
        "pass",
        "none in which the model is worse than elsewhere",
    )
    assert found_slices_gate(predict(labels, labels), 0.95) is None, "nothing to look at"
    assert found_slices_gate(predict([], [], column_camera=[]), 0.95) is None


@pytest.mark.parametrize("wrong", [[], [True], [False, True], [True] * 5])
def test_few_pictures_are_no_reason_to_stumble(wrong):
    pictures = pd.DataFrame({"width": np.arange(len(wrong))})
    groups = np.arange(len(wrong))
    assert find_slices(pictures, np.array(wrong, bool), groups, 0.95) == []


def _slice(name: str, p_value: float, rows: slice) -> found_slices.FoundSlice:
    inside = np.zeros(100, bool)
    inside[rows] = True
    return found_slices.FoundSlice(name, 3, 10, 0.01, p_value, inside)


def test_the_most_certain_comes_first_and_parts_of_it_are_left_out(monkeypatch):
    _, pictures = made_up(0, 100)
    candidates = iter([
        [_slice("second", 1e-4, slice(50, 70)), _slice("first", 1e-6, slice(0, 40))],
        [_slice("part", 1e-5, slice(0, 10)), _slice("chance", 0.06, slice(80, 100))],
    ])  # fmt: skip
    halves = []

    def look(features, wrong, learn):
        halves.append(learn)
        return next(candidates)

    monkeypatch.setattr(found_slices, "_candidates", look)
    assert [one.name for one in found(pictures, np.arange(100) < 9)] == ["first", "second"]
    one, other = halves
    assert np.array_equal(one, ~other) and 30 < one.sum() < 70


def test_it_is_tested_by_fisher_on_the_half_that_it_was_not_found_in():
    random, pictures = made_up(0)
    planted = (pictures.column_camera == "c").to_numpy()
    wrong = random.random(1000) < np.where(planted, 0.25, 0.03)
    first = found(pictures, wrong)[0]
    half = np.random.default_rng(0).random(1000) < 0.5
    tested = []
    for test in (half, ~half):
        inside, outside = first.rows & test, ~first.rows & test
        if (wrong[inside].sum(), inside.sum()) == (first.wrong, first.pictures):
            table = [[wrong[part].sum(), (~wrong[part]).sum()] for part in (inside, outside)]
            tested.append((fisher_exact(table, "greater").pvalue, wrong[outside].mean()))
    assert tested == [(pytest.approx(first.p_value), first.elsewhere)]


def test_three_of_those_that_were_found_are_shown(predict, monkeypatch):
    four = [_slice(name, 0.001, slice(0, 9)) for name in "abcd"]
    monkeypatch.setattr(found_slices, "find_slices", lambda *_: four)
    row = found_slices_gate(predict([0] * 100, [1] * 100, width=np.arange(100)), 0.95)
    assert row.value == 4
    told = [f"{name}: 0.3 wrong of 10, elsewhere 0.01 (p 0.001)" for name in "abc"]
    assert row.message == f"worse than elsewhere: {'; '.join(told)}"


@pytest.mark.parametrize(
    ("kinds", "cameras", "name"),
    [
        ("abc", "b", "width > 100 and camera=b"),
        ("abc", "bc", "width > 100 and camera is not a"),
        (["f=2", "f=4", "f=8"], ["f=4", "f=8"], "width > 100 and camera is not f=2"),
    ],
)
def test_a_slice_is_named_by_the_conditions_that_make_it(kinds, cameras, name):
    numbers = np.arange(480)
    camera = np.array(list(kinds))[numbers % 3]
    width = np.where(numbers // 3 % 4 == 0, 150.0, 50.0)
    pictures = pd.DataFrame({"width": width, "column_camera": camera})
    planted = (width > 100) & np.isin(camera, list(cameras))
    first = found(pictures, planted)[0]
    assert first.name == name and np.array_equal(first.rows, planted)


def test_pictures_without_a_number_count_among_the_middle_ones():
    pictures = pd.DataFrame({"width": np.where(np.arange(1000) % 5 < 2, 150.0, 50.0)})
    pictures.loc[::10, "width"] = np.nan
    assert [one.name for one in found(pictures, np.arange(1000) % 10 == 0)] == ["width <= 100"]


@pytest.mark.parametrize(("count", "few", "enough"), [(1000, 12, 16), (100, 9, 11)])
def test_a_few_pictures_are_no_slice(count, few, enough):
    half = np.random.default_rng(0).random(count) < 0.5

    def sizes(of_each: int) -> list[int]:
        """Of what is found where so many of each half come from one camera and are wrong."""
        wrong = np.zeros(count, bool)
        for part in (half, ~half):
            wrong[np.flatnonzero(part)[:of_each]] = True
        pictures = pd.DataFrame({"column_camera": np.where(wrong, "a", "b")})
        return [one.rows.sum() for one in found(pictures, wrong)]

    assert (sizes(few), sizes(enough)) == ([], [2 * enough])


def test_of_many_parts_that_are_worse_the_worst_are_tested():
    numbers = np.arange(2400)
    camera = np.array(list("abc"))[numbers % 3]
    width = np.where(numbers // 3 % 4 == 0, 150.0, 50.0)
    wide, b, turn = width > 100, camera == "b", numbers // 12
    # All wide ones of one camera are wrong, a quarter of the other wide ones, a fifth of its own.
    wrong = (wide & b) | (wide & ~b & (turn % 4 == 0)) | (~wide & b & (turn % 5 == 0))
    pictures = pd.DataFrame({"width": width, "column_camera": camera})
    first = found(pictures, wrong)[0]
    assert np.array_equal(first.rows, wide & b) and first.wrong == first.pictures
