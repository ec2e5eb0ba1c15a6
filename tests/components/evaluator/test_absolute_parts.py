"""Gates on parts of the pictures: slices, classes, and those that a model is sure of."""

import dataclasses

import numpy as np
import pytest

from components.evaluator.absolute import absolute_gates
from components.evaluator.config import EvaluationSettings
from components.evaluator.slices import Slice

pytestmark = pytest.mark.one_line


def test_every_slice_must_be_proved(gate, answers):
    labels, given = answers(60, 20)
    slices = [Slice("camera=a", np.arange(80) < 60), Slice("camera=b", np.arange(80) >= 60)]
    settings = {"slices": ["camera"], "min_slice_accuracy": 0.8}
    row = gate("accuracy of every slice", labels, given, parts=slices, **settings)
    assert row.verdict == "fail"
    assert row.message == "lowest: camera=b with 0.0000 of 20 pictures; 0.0000 proved, 0.8 wanted"
    row = gate("accuracy of every slice", labels, given, parts=slices[:1], **settings)
    assert row.verdict == "pass"


def test_the_row_of_all_slices_tells_of_one_that_has_its_verdict(gate, answers):
    labels, given = answers(60, 60)  # the first half is right
    rows = np.arange(120)
    few, bad = Slice("few", rows < 3), Slice("bad", rows >= 30)
    settings = {"slices": ["x"], "min_slice_accuracy": 0.5, "too_few": "warn"}
    row = gate("accuracy of every slice", labels, given, parts=[few], **settings)
    assert row.verdict == "warn" and row.message.startswith("lowest: few with 1.0000 of 3 pict")
    low = Slice("bad", (rows >= 10) & (rows < 100))  # 50 of 90: neither proved nor for want of some
    row = gate("accuracy of every slice", labels, given, parts=[few, low, bad], **settings)
    assert row.verdict == "fail" and row.message.startswith("lowest: bad with 0.3333 of 90")
    row = gate("accuracy of every slice", labels, given, parts=[few, low], **settings)
    assert row.verdict == "fail" and row.message.startswith("lowest: bad with 0.5556 of 90")
    assert row.message.endswith("; not proved either: few")


def test_of_slices_with_one_verdict_the_one_that_proves_least_is_told(gate, answers):
    labels, given = answers(60, 60)
    rows = np.arange(120)
    parts = [Slice("most", rows < 65), Slice("few", rows < 3)]
    settings = {"slices": ["x"], "min_slice_accuracy": 0.95}
    row = gate("accuracy of every slice", labels, given, parts=parts, **settings)
    assert row.verdict == "fail" and row.message.startswith("lowest: few with 1.0000 of 3 pict")


def test_of_two_slices_that_are_shown_alike_neither_hides_the_other(gate, answers):
    rows = np.arange(120)
    parts = [Slice("at 1e+06..1e+06", rows >= 60), Slice("at 1e+06..1e+06", rows < 60)]
    settings = {"slices": ["at"], "min_slice_accuracy": 0.9}
    row = gate("accuracy of every slice", *answers(60, 60), parts=parts, **settings)
    assert row.verdict == "fail" and " with 0.0000 of 60 pictures" in row.message


@pytest.mark.parametrize(("count", "more"), [(8, " and 2 more"), (6, "")])
def test_five_of_many_slices_are_named(gate, answers, count, more):
    rows = np.arange(10 * count)
    slices = [Slice(f"s{number}", rows % count == number) for number in range(count)]
    settings = {"slices": ["x"], "min_slice_accuracy": 0.9}
    row = gate("accuracy of every slice", *answers(len(rows), 0), parts=slices, **settings)
    assert row.message.endswith(f"; not proved either: s1, s2, s3, s4, s5{more}")


@pytest.mark.parametrize("name", ["recall", "precision"])
def test_every_class_must_be_proved(gate, answers, name):
    key = {f"min_class_{name}": 0.7}
    row = gate(f"{name} of every class", *answers(60, 0), **key)
    assert row.verdict == "pass"
    assert row.message == "lowest: cat with 1.0000 of 20 pictures; 0.8609 proved, 0.7 wanted"
    row = gate(f"{name} of every class", *answers(48, 12), **key)
    assert row.verdict == "fail"
    assert "0.8000 of 20 pictures; 0.5990 proved" in row.message
    assert "; not proved either: dog, fox" in row.message


def test_precision_is_of_what_is_given_a_class_and_recall_of_what_is_one(gate):
    labels = np.arange(300) % 3
    given = np.where((labels == 2) & (np.arange(300) < 120), 0, labels)  # 40 foxes are cats
    row = gate("precision of every class", labels, given, min_class_precision=0.5)
    assert row.message.startswith("lowest: cat with 0.7143 of 140 pictures")
    row = gate("recall of every class", labels, given, min_class_recall=0.5)
    assert row.message.startswith("lowest: fox with 0.6000 of 100 pictures")


def test_every_class_is_measured_where_each_has_a_picture(gate):
    labels = np.repeat([0, 1, 2], [5, 2, 4])
    row = gate("every class measured", labels, labels)
    assert (row.verdict, row.value, row.bound, row.pictures) == ("pass", 2, 1, 11)
    assert row.message == "3 classes, of dog the fewest pictures: 2"
    row = gate("every class measured", labels[:-4], labels[:-4])
    assert (row.verdict, row.value, row.bound, row.pictures) == ("fail", 0, 1, 7)


def test_a_class_without_test_pictures_is_never_measured_so_never_passed(gate):
    labels = np.arange(60) % 2
    row = gate("recall of every class", labels, labels, min_class_recall=0.5)
    assert row.verdict == "fail"
    assert row.message.startswith("lowest: fox with not measured of 0 pictures; 0.0000 proved, 0.5")
    row = gate("every class measured", labels, labels)
    assert row.verdict == "fail"
    assert row.message == "no test picture of fox: nothing is proved of what is not measured"
    assert gate("every class measured", labels, labels, too_few="warn").verdict == "warn"


def test_a_test_split_of_one_class_proves_nothing_of_the_others(gate):
    labels = np.zeros(100, int)
    assert gate("every class measured", labels, labels).verdict == "fail"
    row = gate("auc", labels, labels, thresholds={"auc": 0.6})
    assert row.verdict == "fail" and row.message.startswith("not measured of 100 pictures")
    # All of one class: to say it always is right, and chance.
    row = gate("accuracy", labels, labels)
    assert row.verdict == "warn" and "knowing nothing gets 1" in row.message


@pytest.fixture
def hedged(predict, answers):
    """`hedged(name, right, wrong, unsure, left_out, **settings)`: a row about a hedging model.

    It is unsure of the last pictures, and `left_out` of the classes are not in their label sets, of
    one class each.
    """

    def hedged(name, right, wrong, unsure=0, left_out=0, **settings):
        count = right + wrong
        predictions = predict(*answers(right, wrong))
        sets = np.eye(3, dtype=bool)[(predictions.labels + (np.arange(count) < left_out)) % 3]
        predictions = dataclasses.replace(
            predictions, unsure=np.arange(count) >= count - unsure, in_label_set=sets
        )
        rows = absolute_gates(predictions, EvaluationSettings(**settings), [])
        (row,) = [row for row in rows if row.name == name]
        return row

    return hedged


@pytest.mark.parametrize(
    ("right", "wrong", "unsure", "verdict", "message"),
    [
        (90, 10, 10, "pass", "1.0000 of 90 pictures; 0.9673 proved, 0.95 wanted"),
        (90, 10, 5, "fail", "0.9474 of 95 pictures; 0.8925 proved, 0.95 wanted"),
        (
            90,
            10,
            60,
            "fail",
            "1.0000 of 40 pictures; 0.9278 proved, 0.95 wanted: too few pictures, 59 faultless "
            "ones are needed",
        ),
        (
            90,
            10,
            100,
            "fail",
            "not measured of 0 pictures; 0.0000 proved, 0.95 wanted: too few pictures, 59 "
            "faultless ones are needed",
        ),
    ],
)
def test_accuracy_when_sure(hedged, right, wrong, unsure, verdict, message):
    row = hedged("accuracy when sure", right, wrong, unsure, min_accuracy_when_sure=0.95)
    assert (row.verdict, row.message) == (verdict, message)


def test_copies_among_the_sure_pictures_are_no_further_proof(predict, answers):
    groups = np.where(np.arange(60) >= 30, 99, np.arange(60))
    predictions = dataclasses.replace(
        predict(*answers(60, 0), groups=groups), unsure=np.arange(60) < 20
    )
    rows = absolute_gates(predictions, EvaluationSettings(min_accuracy_when_sure=0.5), [])
    (row,) = [row for row in rows if row.name == "accuracy when sure"]
    assert row.message.startswith("1.0000 of 40 pictures (29 of them copies)")


@pytest.mark.parametrize(
    ("unsure", "verdict", "message"),
    [
        (10, "pass", "0.9000 of 100 pictures; 0.8363 proved, 0.8 wanted"),
        (19, "fail", "0.8100 of 100 pictures; 0.7338 proved, 0.8 wanted"),
    ],
)
def test_share_sure(hedged, unsure, verdict, message):
    row = hedged("share sure", 90, 10, unsure, min_share_sure=0.8)
    assert (row.verdict, row.message) == (verdict, message)


@pytest.mark.parametrize(
    ("left_out", "verdict", "message"),
    [
        (4, "pass", "0.9600 of 100 pictures; 0.9108 proved, 0.9 wanted"),
        (6, "fail", "0.9400 of 100 pictures; 0.8850 proved, 0.9 wanted"),
    ],
)
def test_label_set_coverage(hedged, left_out, verdict, message):
    row = hedged("label set coverage", 90, 10, left_out=left_out, min_label_set_coverage=0.9)
    assert (row.verdict, row.message) == (verdict, message)


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("min_label_set_coverage", "label set coverage"),
        ("min_accuracy_when_sure", "accuracy when sure"),
        ("min_share_sure", "share sure"),
    ],
)
def test_a_model_that_does_not_say_how_sure_it_is_fails(gate, answers, setting, name):
    row = gate(name, *answers(90, 10), **{setting: 0.5}, too_few="warn")
    assert row.verdict == "fail" and row.message.startswith("the model does not say so: what the")
    assert (row.value, row.bound, row.pictures) == (None, 0.5, 0), "nothing was measured"


def test_a_coverage_of_label_sets_that_hold_every_class_says_nothing(predict, answers):
    predictions = predict(*answers(90, 10))
    predictions = dataclasses.replace(predictions, in_label_set=np.ones((100, 3), bool))
    *_, row = absolute_gates(predictions, EvaluationSettings(min_label_set_coverage=0.9), [])
    assert row.verdict == "warn"
    assert row.message.endswith("; knowing nothing gets 1, so this threshold says little")


def test_an_accuracy_when_sure_that_chance_keeps_is_a_warning(hedged):
    row = hedged("accuracy when sure", 90, 10, 10, min_accuracy_when_sure=0.3)
    assert row.verdict == "warn" and "knowing nothing gets 0.34" in row.message
