"""All rows together, slices, and the fingerprint of a test split."""

import numpy as np
import pandas as pd
import pytest

from components.errors import UserError
from components.evaluator import decisions
from components.evaluator.config import EvaluationSettings
from components.evaluator.decisions import decide, make_slices
from components.evaluator.paired import FairPlay
from components.evaluator.slices import cut, find_column
from components.gates import Gate

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
    assert not [name for name in rows if name.startswith("slices by")], "two values are enough"


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
    with pytest.raises(UserError, match=r"slices: name has 40 different values in the test split"):
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
    predictions = predict([], [], served=[], column_camera=[])
    decision = decide(predictions, EvaluationSettings(slices=["camera"]), "", FairPlay())
    rows = {row.name: row for row in decision.gates}
    assert rows["accuracy"].verdict == "fail"
    message = "0 pictures, there are none: no slices, nothing to compare"
    assert rows["slices by camera"].message == message
    assert rows["not proved worse"].message == "0 better, 0 worse of 0 (p 1)"


def test_numbers_of_up_to_four_values_are_slices_by_value():
    assert [one.name for one in cut("x", pd.Series([4, 1, 3, 2]))] == ["x=1", "x=2", "x=3", "x=4"]
    assert next(one.name for one in cut("x", pd.Series([1, 2, 3, 4, 5]))) == "x 1..2"


def test_a_value_between_two_ranges_is_of_the_upper_one():
    rows = [np.flatnonzero(one.rows).tolist() for one in cut("x", pd.Series(range(9)))]
    assert rows == [[0, 1], [2, 3], [4, 5], [6, 7, 8]]


def test_thirty_texts_are_kinds_of_pictures_still():
    assert len(cut("camera", pd.Series([f"camera {number}" for number in range(30)]))) == 30


def test_a_fact_comes_before_a_column_of_its_name():
    assert find_column("width", {"column_width", "width"}) == "width"


def test_what_the_served_model_has_learnt_is_no_change(predict):
    predictions = predict([0, 1, 2], [1, 2, 2], served=[0, 1, 2])
    decision = decide(predictions, EvaluationSettings(), "", FairPlay({"id0"}))
    assert [change.image_id for change in decision.changes] == ["id1"]


def test_slices_that_nobody_named_come_last_and_with_the_confidence_of_the_gates(
    predict, answers, monkeypatch
):
    asked = []
    found = Gate("slices found", "pass", 0, None, "none")
    monkeypatch.setattr(
        decisions, "found_slices_gate", lambda _, confidence: asked.append(confidence) or found
    )
    labels, given = answers(90, 10)
    predictions = predict(labels, given, served=labels, column_camera="a")
    settings = EvaluationSettings(slices=["camera"], confidence=0.9)
    names = [row.name for row in decide(predictions, settings, "", FairPlay()).gates]
    assert names[0] == "every class measured" and "not proved worse" in names[1:-2]
    assert names[-2:] == ["slices by camera", "slices found"] and asked == [0.9]
