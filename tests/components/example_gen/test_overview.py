"""Outliers and copies, on tables in which they were put by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from components.example_gen import overview
from components.example_gen.inspection.facts import Facts


@pytest.fixture
def pictures() -> pd.DataFrame:
    """A hundred ordinary pictures."""
    rng = np.random.default_rng(0)
    facts = {
        "width": rng.integers(300, 600, 100),
        "height": rng.integers(300, 600, 100),
        "bytes": rng.lognormal(10, 0.4, 100).astype(int),
        "sharpness": rng.lognormal(6, 0.5, 100),
        "aspect": rng.uniform(0.7, 1.4, 100),
        "brightness": rng.normal(120, 20, 100),
        "contrast": rng.normal(60, 8, 100),
        "colourfulness": rng.normal(30, 5, 100),
    }
    ids = [f"{n:03d}" for n in range(100)]
    labels = {"label": ["cats"] * 50 + ["dogs"] * 50, "split": ["train"] * 80 + ["test"] * 20}
    return pd.DataFrame({"image_id": ids, "group": ids, **labels, **facts, "format": "JPEG"})


def outliers(pictures) -> dict[str, list[int]]:
    return {one.fact: one.outliers for one in overview.fact_ranges(pictures) if one.outliers}


def test_ordinary_pictures_are_none(pictures):
    assert outliers(pictures) == {}


def test_the_farthest_comes_first(pictures):
    pictures.loc[7, "brightness"] = 250.0
    pictures.loc[9, "brightness"] = -400.0
    pictures.loc[3, "sharpness"] = 1.5
    assert outliers(pictures) == {"brightness": [9, 7], "sharpness": [3]}


def test_a_sharpness_or_size_of_many_times_the_median_is_no_outlier_by_itself(pictures):
    """Their logarithms count: half and twice are equally far away."""
    pictures.loc[3, "sharpness"] = 4 * pictures["sharpness"].median()
    assert outliers(pictures) == {}


def test_where_all_are_alike_the_one_that_is_not_stands_out(pictures):
    pictures["width"] = 64
    pictures.loc[42, "width"] = 65
    assert outliers(pictures) == {"width": [42]}


def test_ranges(pictures):
    (width,) = [one for one in overview.fact_ranges(pictures) if one.fact == "width"]
    column = pictures["width"]
    assert (width.lowest, width.median, width.highest) == (
        column.min(),
        column.median(),
        column.max(),
    )


def test_every_fact_that_is_a_quantity_has_its_range(pictures):
    facts = {field.name for field in dataclasses.fields(Facts)} - {"format", "orientation"}
    assert {one.fact for one in overview.fact_ranges(pictures)} == facts


def test_copies_that_harm_come_first(pictures):
    def join(*rows):
        pictures.loc[list(rows), "group"] = f"{rows[0]:03d}"

    join(1, 2, 3, 4)  # harmless, and large
    join(11, 12)
    join(20, 21, 60)  # two classes
    join(70, 71, 90)  # two splits
    found = overview.duplicate_groups(pictures)
    assert found == [[70, 71, 90], [20, 21, 60], [1, 2, 3, 4], [11, 12]]


def test_counts_are_those_of_the_values(pictures):
    pictures.loc[:9, "format"] = "PNG"
    assert list(overview.counts(pictures, "format").items()) == [("JPEG", 90), ("PNG", 10)]


def test_an_outlier_is_more_than_three_times_the_middle_half_away_from_it(pictures):
    pictures["brightness"] = [4.0, 4.5, -3.5, -3.0] + [0.0] * 48 + [1.0] * 48
    assert outliers(pictures) == {"brightness": [1, 2]}
