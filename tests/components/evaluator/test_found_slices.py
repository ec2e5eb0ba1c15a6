"""Slices that nobody named: what is there is found, what is not is not."""

import numpy as np
import pandas as pd
import pytest

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
    assert found_slices_gate(predict(labels, labels), 0.95) is None


@pytest.mark.parametrize("wrong", [[], [True], [False, True], [True] * 5])
def test_few_pictures_are_no_reason_to_stumble(wrong):
    pictures = pd.DataFrame({"width": np.arange(len(wrong))})
    groups = np.arange(len(wrong))
    assert find_slices(pictures, np.array(wrong, bool), groups, 0.95) == []
