"""Gates on the model alone: one case that each passes, and one that it stops, as printed."""

import dataclasses

import numpy as np
import pytest

from components.bounds import lower_bound, upper_bound
from components.evaluator import bootstrap
from components.evaluator.absolute import Finding, absolute_gates, chance_levels, share
from components.evaluator.config import EvaluationSettings

pytestmark = pytest.mark.one_line


@pytest.mark.parametrize(
    ("right", "wrong", "verdict", "message"),
    [
        (58, 2, "pass", "0.9667 of 60 pictures; 0.8988 proved, 0.85 wanted"),
        (54, 6, "fail", "0.9000 of 60 pictures; 0.8121 proved, 0.85 wanted"),
        (
            12,
            0,
            "fail",
            "1.0000 of 12 pictures; 0.7791 proved, 0.85 wanted: too few pictures, 19 faultless "
            "ones are needed",
        ),
    ],
)
def test_accuracy_passes_only_when_it_is_proved(gate, answers, right, wrong, verdict, message):
    row = gate("accuracy", *answers(right, wrong), thresholds={"accuracy": 0.85})
    assert (row.verdict, row.message) == (verdict, message)
    assert row.interval[0] <= row.value <= row.interval[1] and row.pictures == right + wrong


def test_thirty_faultless_pictures_do_not_prove_95_percent(gate, answers):
    assert gate("accuracy", *answers(30, 0), thresholds={"accuracy": 0.95}).verdict == "fail"
    row = gate("accuracy", *answers(30, 0), thresholds={"accuracy": 0.95}, too_few="warn")
    assert row.verdict == "warn" and row.message.endswith("59 faultless ones are needed")


def test_what_faultless_pictures_just_prove_is_proved_and_no_more_of_them_are_asked_for(
    gate, answers
):
    wanted = lower_bound(20, 20, 0.95)
    row = gate("accuracy", *answers(20, 0), thresholds={"accuracy": wanted})
    assert row.verdict == "pass" and row.message.endswith(f" proved, {wanted:g} wanted")


def test_what_is_proved_to_be_bad_fails_however_few_pictures_there_are(gate, answers):
    row = gate("accuracy", *answers(6, 14), thresholds={"accuracy": 0.95}, too_few="warn")
    assert row.verdict == "fail"


def test_what_is_short_of_a_threshold_but_not_proved_to_be_is_for_want_of_pictures(gate, answers):
    row = gate("accuracy", *answers(27, 3), thresholds={"accuracy": 0.95}, too_few="warn")
    assert row.verdict == "warn" and row.value < 0.95 < row.interval[1]


def test_what_faultless_pictures_would_just_prove_is_not_for_want_of_them():
    found = Finding(0.6, (0.4, 0.9), 10, 10, best=0.75)
    assert (found.verdict(0.75, "warn"), found.verdict(0.76, "warn")) == ("fail", "warn")
    assert (found.verdict(0.4, "warn"), found.verdict(0.9, "warn")) == ("pass", "warn")


def test_of_copies_that_differ_the_worse_bounds_below_and_the_better_above():
    found = share(np.array([True, False, True, False]), np.array([0, 0, 1, 2]), 0.95)
    assert found.interval == (lower_bound(1, 3, 0.95), upper_bound(2, 3, 0.95))
    assert (found.value, found.pictures, found.groups) == (0.5, 4, 3)
    assert found.best == lower_bound(3, 3, 0.95)


def test_what_knowing_nothing_reaches():
    levels = chance_levels(np.array([10, 60, 30, 0]), EvaluationSettings(top_k=2))
    assert levels == {
        "accuracy": 0.6,
        "top_k_accuracy": pytest.approx(0.9),
        "auc": 0.5,
        "macro_recall": 0.25,
        "macro_precision": 0.25,
        "recall of every class": 0.25,
        "accuracy when sure": 0.6,
    }


def test_a_class_without_a_test_picture_is_one_that_chance_may_draw(gate, answers):
    labels = np.arange(100) % 2  # of three classes: the last has no picture
    row = gate("recall of every class", labels, labels, min_class_recall=0.33)
    assert "knowing nothing gets 0.3333" in row.message


@pytest.mark.parametrize(("wanted", "verdict"), [(0.34, "warn"), (0.35, "pass")])
def test_a_threshold_at_chance_says_as_little_as_one_below(gate, answers, wanted, verdict):
    row = gate("accuracy", *answers(90, 10), thresholds={"accuracy": wanted})
    assert row.verdict == verdict and ("knowing nothing" in row.message) == (verdict == "warn")


def test_what_fails_at_chance_fails_all_the_same(gate, answers):
    row = gate("accuracy", *answers(10, 90), thresholds={"accuracy": 0.3})
    assert row.verdict == "fail" and "knowing nothing" in row.message


def test_no_number_of_pictures_proves_perfection(gate, answers):
    row = gate("accuracy", *answers(300, 0), thresholds={"accuracy": 1.0}, too_few="warn")
    assert row.verdict == "warn" and row.message.endswith("which no number of pictures proves")


def test_copies_are_no_further_proof(gate, answers):
    labels, _ = answers(6, 0)
    many = np.tile(labels, 10)
    groups = np.tile(np.arange(6), 10)
    row = gate("accuracy", many, many, groups, thresholds={"accuracy": 0.85})
    assert row.verdict == "fail" and row.message.startswith("1.0000 of 60 pictures (54 of them cop")
    assert row.interval[0] == pytest.approx(0.05 ** (1 / 6))


def test_top_k_and_averages(gate, answers):
    labels, given = answers(96, 4)
    thresholds = {"top_k_accuracy": 0.9, "macro_recall": 0.9, "macro_precision": 0.8, "auc": 0.8}
    for name in thresholds:
        assert gate(name, labels, given, thresholds=thresholds, top_k=2).verdict == (
            "fail" if name == "macro_recall" else "pass"
        ), name
    # The true class of two of the four is the second, as equal ones are in the order of the list.
    for top_k, value in ((2, 0.98), (3, 1.0)):
        row = gate("top_k_accuracy", labels, given, thresholds=thresholds, top_k=top_k)
        assert row.value == pytest.approx(value)
    row = gate("macro_recall", labels, given, thresholds=thresholds)
    assert row.message == "0.9602 of 100 pictures; 0.8892 proved, 0.9 wanted"


def test_what_is_no_number_is_right_in_no_gate(predict):
    labels = np.arange(90) % 3
    predictions = predict(labels, labels)
    broken = dataclasses.replace(predictions, candidate=np.full_like(predictions.candidate, np.nan))
    names = ("accuracy", "top_k_accuracy", "macro_recall", "macro_precision")
    bounds = {"thresholds": dict.fromkeys(names, 0.7), "top_k": 2}
    bounds |= {"min_class_recall": 0.7, "min_class_precision": 0.7}
    settings = EvaluationSettings(**bounds)
    assert {row.verdict for row in absolute_gates(predictions, settings, [])} == {"pass"}
    _, *rows = absolute_gates(broken, settings, [])
    assert len(rows) == 6 and {(row.verdict, row.value) for row in rows} == {("fail", 0.0)}
    assert all(row.interval[1] < 0.1 for row in rows)


def test_an_average_over_too_few_pictures_is_said(gate, answers):
    row = gate("auc", *answers(29, 0), thresholds={"auc": 0.6})
    assert row.verdict == "fail"
    assert row.message.endswith("0.6 wanted: too few pictures, at least 30 are needed")
    row = gate("macro_recall", *answers(33, 0), thresholds={"macro_recall": 0.95})
    assert "too few pictures, faultless they would prove 0.8" in row.message
    best = row.message.rpartition(" ")[2]
    row = gate("macro_recall", *answers(25, 8), thresholds={"macro_recall": 0.95})
    assert row.message.endswith(f"faultless they would prove {best}"), "whatever they do prove"


@pytest.mark.parametrize(
    ("pictures", "wanted", "asked"), [(29, 0.6, 0), (90, 0.6, 1), (90, 0.95, 2)]
)
def test_what_faultless_pictures_would_prove_is_asked_where_it_counts(
    gate, answers, monkeypatch, pictures, wanted, asked
):
    calls, interval = [], bootstrap.interval

    def counted(*given):
        calls.append(given)
        return interval(*given)

    monkeypatch.setattr(bootstrap, "interval", counted)
    gate("macro_recall", *answers(pictures, 0), thresholds={"macro_recall": wanted})
    assert len(calls) == asked


@pytest.mark.parametrize(
    ("name", "settings"),
    [("auc", {"thresholds": {"auc": 0.6}}), ("calibration error", {"max_calibration_error": 0.5})],
)
def test_thirty_pictures_that_are_no_copies_are_enough_to_draw_from(gate, name, settings):
    for groups, enough in ((29, False), (30, True)):
        twice = np.repeat(np.arange(groups), 2)
        row = gate(name, twice % 3, twice % 3, twice, **settings)
        assert (row.verdict == "pass") == enough == ("are needed" not in row.message)
        assert row.pictures == 2 * groups and ("too few" in row.message) <= (not enough)


def test_calibration(gate, answers):
    labels, given = answers(270, 30)  # they say 0.9, and are right nine times of ten
    row = gate("calibration error", labels, given, max_calibration_error=0.1)
    assert row.verdict == "pass" and row.message.startswith("0.0000 of 300 pictures; at most 0.0")
    labels, given = answers(150, 150)
    row = gate("calibration error", labels, given, max_calibration_error=0.1)
    assert row.verdict == "fail" and row.message.startswith("0.4000 of 300 pictures; at most 0.4")
    row = gate("calibration error", *answers(258, 42), max_calibration_error=0.05)
    assert row.verdict == "fail" and row.value == pytest.approx(0.04, abs=1e-6), "not proved"
    row = gate("calibration error", *answers(9, 1), max_calibration_error=0.1)
    assert row.message == "10 pictures, of which at least 30 are needed"
    few = gate("calibration error", *answers(9, 1), max_calibration_error=0.1, too_few="warn")
    assert (row.verdict, few.verdict) == ("fail", "warn")
    twice = np.repeat(np.arange(29), 2)
    row = gate("calibration error", twice % 3, twice % 3, twice, max_calibration_error=0.1)
    assert row.message == "58 pictures (29 of them copies), of which at least 30 are needed"


@pytest.mark.parametrize(
    ("pictures", "verdict", "message"),
    [
        (40, "warn", "wanted: too few pictures, faultless they would prove 0.0722"),
        (58, "warn", "wanted: too few pictures, faultless they would prove 0.0503"),
        (59, "fail", "at most 0.05 wanted"),
    ],
)
def test_a_calibration_that_no_model_could_prove_is_for_want_of_pictures(
    predict, pictures, verdict, message
):
    labels = np.arange(pictures) % 3
    sure = np.where(np.eye(3)[labels], 0.99, 0.005)  # all are right, and not quite sure of it
    predictions = dataclasses.replace(predict(labels, labels), candidate=sure)
    settings = EvaluationSettings(max_calibration_error=0.05, too_few="warn")
    *_, row = absolute_gates(predictions, settings, [])
    assert row.name == "calibration error" and row.verdict == verdict
    assert row.message.endswith(message) and row.interval[0] <= 0.05 < row.interval[1]


def test_a_calibration_that_is_proved_to_be_bad_fails_however_few_pictures_there_are(gate, answers):
    row = gate("calibration error", *answers(0, 40), max_calibration_error=0.05, too_few="warn")
    assert row.verdict == "fail" and row.interval[0] > 0.05


def test_what_is_proved_of_an_average_is_of_that_average(gate):
    labels = np.arange(300) % 3
    given = np.where((labels == 2) & (np.arange(300) < 120), 0, labels)  # 40 foxes are cats
    thresholds = {"macro_precision": 0.8, "macro_recall": 0.8}
    for name, value in (("macro_precision", (5 / 7 + 2) / 3), ("macro_recall", (0.6 + 2) / 3)):
        row = gate(name, labels, given, thresholds=thresholds)
        assert row.value == pytest.approx(value)
        assert row.interval[0] < row.value < row.interval[1]


@pytest.mark.parametrize("name", ["macro_recall", "macro_precision", "auc"])
def test_of_a_class_without_test_pictures_nothing_bad_is_proved_either(gate, answers, name):
    labels, thresholds = np.arange(60) % 2, {name: 0.9}
    row = gate(name, labels, labels, thresholds=thresholds, too_few="warn")
    assert row.verdict == "warn" and "too few pictures, faultless they would" in row.message
    assert (row.value, row.interval[1]) == (1.0, pytest.approx(1.0)) and row.interval[0] < 2 / 3
    # Were all of the third class right, the average would still be below.
    wrong = np.where(np.arange(60) < 40, 1 - labels, labels)
    row = gate(name, labels, wrong, thresholds=thresholds, too_few="warn")
    assert row.verdict == "fail" and row.value < row.interval[1] < 0.9


def test_an_empty_test_split_passes_nothing(predict):
    settings = EvaluationSettings(
        thresholds={"accuracy": 0.5, "auc": 0.5, "macro_recall": 0.4},
        max_calibration_error=0.1,
        min_class_recall=0.5,
        min_class_precision=0.5,
        min_label_set_coverage=0.5,
        min_accuracy_when_sure=0.5,
        min_share_sure=0.5,
    )
    none = dataclasses.replace(
        predict([], []), unsure=np.zeros(0, bool), in_label_set=np.zeros((0, 3), bool)
    )
    rows = absolute_gates(none, settings, [])
    assert len(rows) == 10 and {row.verdict for row in rows} == {"fail"}


def test_a_threshold_that_chance_keeps_is_said_aloud(gate, answers):
    labels, given = answers(90, 10)
    row = gate("accuracy", labels, given, thresholds={"accuracy": 0.3})
    assert row.verdict == "warn"
    assert row.message.endswith("; knowing nothing gets 0.34, so this threshold says little")


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"thresholds": {"auc": 0.0}}, "auc"),
        ({"max_calibration_error": 0.0}, "calibration error"),
        ({"min_label_set_coverage": 0.0}, "label set coverage"),
        ({"min_accuracy_when_sure": 0.0}, "accuracy when sure"),
        ({"min_share_sure": 0.0}, "share sure"),
        ({"min_class_recall": 0.0}, "recall of every class"),
        ({"min_class_precision": 0.0}, "precision of every class"),
        ({"slices": ["x"], "min_slice_accuracy": 0.0}, "accuracy of every slice"),
    ],
)
def test_a_bound_of_0_is_a_bound(gate, answers, settings, name):
    # Another row than where nothing is asked for, which would not be there.
    assert gate(name, *answers(90, 10), **settings).bound == 0.0
