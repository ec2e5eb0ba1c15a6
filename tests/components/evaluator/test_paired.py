"""Gates against the served model: one case that each passes, and one that it stops, as printed."""

import numpy as np
import pytest

from components.bounds import largest_drop
from components.evaluator.config import EvaluationSettings
from components.evaluator.paired import FairPlay, changed_answers, paired_gates
from components.evaluator.slices import Slice

pytestmark = pytest.mark.one_line
LABELS = np.arange(120) % 3
WRONG = (LABELS + 1) % 3


def gates(predictions, parts=(), note="", fair_play=None, **settings):
    rows = paired_gates(
        predictions, EvaluationSettings(**settings), parts, note, fair_play or FairPlay()
    )
    return {row.name: row for row in rows}


def first(count, given=WRONG, rest=LABELS):
    """Answers that are wrong for the first pictures."""
    return np.where(np.arange(120) < count, given, rest)


def test_a_model_that_is_not_proved_worse_passes(predict):
    rows = gates(predict(LABELS, first(3), served=first(0)))
    assert list(rows) == ["not proved worse", "not proved worse, by class"]
    row = rows["not proved worse"]
    assert (row.verdict, row.message) == ("pass", "0 better, 3 worse of 120 (p 0.12)")
    assert row.value == pytest.approx(-3 / 120) and row.pictures == 120


def test_a_model_that_is_proved_worse_is_stopped(predict):
    row = gates(predict(LABELS, first(12), served=first(0)))["not proved worse"]
    assert row.verdict == "fail"
    assert row.message == "0 better, 12 worse of 120 (p 0.00024): proved worse"


def test_a_better_model_passes(predict):
    row = gates(predict(LABELS, first(0), served=first(30)))["not proved worse"]
    assert row.verdict == "pass" and row.message.startswith("30 better, 0 worse of 120")


def test_one_class_that_is_proved_worse_is_enough(predict):
    # Every dog was right and is wrong; as many others have become right.
    dogs = LABELS == 1
    candidate, served = np.where(dogs, WRONG, LABELS), np.where(dogs, LABELS, WRONG)
    rows = gates(predict(LABELS, candidate, served=served))
    assert rows["not proved worse"].verdict == "pass"
    row = rows["not proved worse, by class"]
    assert row.verdict == "fail" and row.message.startswith("dog: 0 better, 40 worse of 40 (p ")
    assert row.message.endswith(": proved worse in dog")


def test_the_class_that_is_told_of_is_the_most_certain_and_not_the_one_that_lost_most(predict):
    # Of ten cats five got worse (p 0.031), of forty dogs nine (p 0.002).
    labels = np.array([0] * 10 + [1] * 40)
    given = labels.copy()
    given[:5], given[10:19] = 2, 2
    row = gates(predict(labels, given, served=labels))["not proved worse, by class"]
    assert row.message == "dog: 0 better, 9 worse of 40 (p 0.002): proved worse in dog"
    assert row.value == pytest.approx(-9 / 40)


def test_the_only_picture_of_a_class_is_all_of_it(predict):
    row = gates(predict([0, 1, 2], [1, 1, 2], served=[0, 1, 2]))["not proved worse, by class"]
    assert row.message == "cat: 0 better, 1 worse of 1 (p 0.5)" and row.value == -1


def test_many_rows_do_not_make_a_chance_find_a_proof(predict):
    """5 worse of 5 are p 0.03: proof in a single test, none among four."""
    row = gates(predict(LABELS, np.where((LABELS == 0) & (np.arange(120) < 15), WRONG, LABELS),
                        served=LABELS))  # fmt: skip
    assert row["not proved worse, by class"].message == "cat: 0 better, 5 worse of 40 (p 0.031)"
    assert {one.verdict for one in row.values()} == {"pass"}


@pytest.mark.parametrize(("worse", "verdict"), [(6, "pass"), (7, "fail")])
def test_the_error_rate_is_that_of_the_settings(predict, worse, verdict):
    """6 worse of 6 are p 0.016, times four rows more than 0.05; 7 of 7 are 0.0078."""
    predictions = predict(LABELS, first(worse), served=LABELS)
    assert gates(predictions)["not proved worse"].verdict == verdict
    assert gates(predictions, confidence=0.99)["not proved worse"].verdict == "pass"


def test_copies_of_a_picture_are_one_disagreement(predict):
    groups = np.where(np.arange(120) < 12, 0, np.arange(120))
    row = gates(predict(LABELS, first(12), served=LABELS, groups=groups))["not proved worse"]
    assert (row.verdict, row.message) == ("pass", "0 better, 1 worse of 109 (p 0.5)")


@pytest.mark.parametrize(
    ("margin", "verdict"), [(0.1, "pass"), (largest_drop(0, 2, 120, 0.95), "pass"), (0.05, "fail")]
)
def test_as_good_must_be_proved(predict, margin, verdict):
    rows = gates(predict(LABELS, first(2), served=LABELS), proved_as_good={"overall": margin})
    row = rows["proved as good"]
    message = (
        f"0 better, 2 worse of 120: at most 0.0589 worse is proved, at most {margin:g} allowed"
    )
    assert (row.verdict, row.message) == (verdict, message)
    assert (row.bound, row.interval) == (-margin, (-largest_drop(0, 2, 120, 0.95), 1.0))
    assert row.value == pytest.approx(-2 / 120) and row.pictures == 120


def test_the_class_of_which_least_is_proved_is_told_although_another_lost_more(predict):
    labels = np.repeat([0, 1, 2], [5, 40, 40])
    given = np.where(np.arange(85) == 5, 2, labels)  # a dog
    rows = gates(predict(labels, given, served=labels), proved_as_good={"per_class": 0.2})
    row = rows["proved as good, by class"]
    assert row.verdict == "fail" and row.message.startswith("cat: 0 better, 0 worse of 5: at most")
    assert (row.value, row.pictures) == (0, 5)


def test_as_good_by_class_and_by_slice(predict):
    slices = [Slice("night", np.arange(120) < 20), Slice("day", np.arange(120) >= 20)]
    rows = gates(
        predict(LABELS, first(5), served=LABELS),
        slices,
        slices=["time"],
        proved_as_good={"per_class": 0.2, "per_slice": 0.2},
    )
    assert rows["proved as good, by class"].verdict == "pass"
    row = rows["proved as good, by slice"]
    assert row.verdict == "fail" and row.message.startswith(
        "night: 0 better, 5 worse of 20: at mos"
    )
    assert rows["not proved worse, by slice"].message == "night: 0 better, 5 worse of 20 (p 0.031)"


def test_where_there_are_no_slices_none_is_as_good(predict):
    rows = gates(
        predict(LABELS, LABELS, served=LABELS), slices=["x"], proved_as_good={"per_slice": 0.1}
    )
    row = rows["proved as good, by slice"]
    assert (row.verdict, row.bound, row.message) == ("warn", -0.1, "no slices to compare")
    assert "not proved worse, by slice" not in rows


def test_without_a_served_model_every_row_says_so(predict):
    rows = gates(predict(LABELS, LABELS), note="no served model: not compared",
                 proved_as_good={"overall": 0.1})  # fmt: skip
    assert list(rows) == ["not proved worse", "proved as good"]
    assert {row.verdict for row in rows.values()} == {"warn"}
    assert {row.message for row in rows.values()} == {"no served model: not compared"}


def test_rows_can_be_left_out(predict):
    assert gates(predict(LABELS, LABELS, served=LABELS), not_proved_worse=False) == {}


def test_what_the_served_model_has_learnt_does_not_count_for_it(predict):
    predictions = predict(LABELS, first(12), served=LABELS)
    fair_play = FairPlay({f"id{row}" for row in range(6)} | {"g6"})
    row = gates(predictions, fair_play=fair_play)["not proved worse"]
    assert row.message == (
        "0 better, 5 worse of 113 (p 0.031); 7 pictures left out, the served model has learnt them"
    )
    changes = changed_answers(predictions, fair_play)
    assert [change.path for change in changes] == [f"{row}.png" for row in range(7, 12)]
    assert vars(changes[0]) == {
        "change": "worse",
        "image_id": "id7",
        "path": "7.png",
        "label": "dog",
        "candidate": "fox",
        "served": "dog",
    }


def test_nor_does_a_copy_of_what_it_has_learnt(predict):
    predictions = predict(LABELS, first(9), served=first(0), groups=np.arange(120) // 3)
    row = gates(predictions, fair_play=FairPlay({"id1", "id5"}))["not proved worse"]
    message = (
        "0 better, 1 worse of 38 (p 0.5); 6 pictures left out, the served model has learnt them"
    )
    assert row.message == message


def test_where_it_has_learnt_all_of_them_nothing_is_compared(predict):
    fair_play = FairPlay({f"id{row}" for row in range(120)})
    row = gates(predict(LABELS, WRONG, served=LABELS), fair_play=fair_play)["not proved worse"]
    assert (row.verdict, row.value) == ("warn", None)
    assert row.message.startswith("the served model has learnt every picture of this test split")


def test_what_is_not_known_of_the_served_model_is_said(predict):
    fair_play = FairPlay(note="version 7 has no evidence of what it was trained on")
    row = gates(predict(LABELS, LABELS, served=LABELS), fair_play=fair_play)["not proved worse"]
    assert row.message.endswith("; version 7 has no evidence of what it was trained on")
