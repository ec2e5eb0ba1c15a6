"""All rows together, slices, and the fingerprint of a test split."""

import numpy as np
import pandas as pd
import pytest

from components.errors import UserError
from components.evaluator.config import EvaluationSettings
from components.evaluator.decisions import decide, make_slices
from components.evaluator.paired import FairPlay
from components.evaluator.slices import cut, find_column

pytestmark = pytest.mark.one_line


def test_slices_by_a_fact_and_by_a_column(predict, answers):
    labels, given = answers(90, 10)
    columns = {"brightness": np.arange(100.0), "column_camera": ["a", "b"] * 50}
    predictions = predict(labels, given, served=labels, **columns)
    settings = EvaluationSettings(slices=["brightness", "camera"], min_slice_accuracy=0.5)
    rows = {row.name: row for row in decide(predictions, settings, "", FairPlay()).gates}
    row = rows["accuracy of every slice"]
    assert row.message.startswith("lowest: brightness 74..99 with 0.6")
    assert "not proved worse, by slice" in rows


def test_a_column_of_one_value_makes_no_slices(predict, answers):
    predictions = predict(*answers(50, 0), column_camera="a")
    settings = EvaluationSettings(slices=["camera"], min_slice_accuracy=0.5)
    gates = decide(predictions, settings, "no served model: not compared", FairPlay()).gates
    rows = {row.name: row for row in gates}
    row = rows["slices by camera"]
    assert row.verdict == "warn"
    assert row.message == "50 pictures, all have camera=a: no slices, nothing to compare"
    assert rows["accuracy of every slice"].verdict == "fail"


def test_a_column_that_is_missing_is_a_mistake(predict):
    predictions = predict([0], [0], brightness=[1.0], column_camera=["a"])
    with pytest.raises(UserError) as error:
        make_slices(predictions.pictures, EvaluationSettings(slices=["brigthness"]))
    assert str(error.value) == (
        "evaluation.slices: the pictures have no column brigthness (did you mean `brightness`?); "
        "they have brightness, camera"
    )


def test_a_column_that_names_pictures_is_a_mistake():
    with pytest.raises(UserError, match=r"slices: name has 40 different values, more than 30"):
        cut("name", pd.Series([f"picture {number}" for number in range(40)]))


@pytest.mark.parametrize(
    "values", [pd.Series([1, 2, 2, 1]), pd.Series([0.5] * 90 + [0.7, 0.8, 0.9, 1.0, 1.1])]
)
def test_ranges_are_parts_of_the_whole(values):
    slices = cut("x", values)
    assert np.sum([one.rows for one in slices], axis=0).tolist() == [1] * len(values)


def test_missing_values_are_a_slice_of_their_own():
    names = [one.name for one in cut("camera", pd.Series(["a", None, "a"]))]
    assert names == ["camera=", "camera=a"]


def test_a_manifest_s_column_is_found_by_its_own_name():
    assert find_column("shot at", {"column_shot_at", "width"}) == "column_shot_at"
    assert find_column("width", {"column_shot_at", "width"}) == "width"


def test_an_empty_test_split_blesses_nothing(predict):
    decision = decide(predict([], [], served=[]), EvaluationSettings(), "", FairPlay())
    assert {row.name: row.verdict for row in decision.gates}["accuracy"] == "fail"
