"""Bounds by bootstrap: of what has an exact one, and how often they are wrong."""

import numpy as np
import pytest

from components.bounds import lower_bound, upper_bound
from components.evaluator import bootstrap, measures

pytestmark = pytest.mark.one_line
MEASURES = {
    bootstrap.macro_recall: lambda labels, scores: measures.mean(
        measures.recall_per_class(measures.confusion_matrix(labels, scores.argmax(1), 3))
    ),
    bootstrap.macro_precision: lambda labels, scores: measures.mean(
        measures.precision_per_class(measures.confusion_matrix(labels, scores.argmax(1), 3))
    ),
    bootstrap.auc: lambda labels, scores: measures.mean(measures.auc_per_class(labels, scores)),
    bootstrap.calibration_error: measures.calibration_error,
}


def made_up(count, seed=0):
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    scores = random.random((count, 3)).round(1) + 0.5 * np.eye(3)[labels]
    return labels, (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("statistic", MEASURES)
def test_equal_weights_give_the_measure_itself(statistic):
    labels, scores = made_up(60)
    value = statistic(labels, scores, np.ones((1, 60)), np.zeros((1, 3)))
    assert value == pytest.approx(MEASURES[statistic](labels, scores))
    assert statistic(labels, scores, np.full((1, 60), 3.0), np.zeros((1, 3))) == value


@pytest.mark.parametrize("statistic", MEASURES)
def test_the_interval_holds_the_measure_and_a_bad_picture_is_never_good(statistic):
    labels, scores = made_up(60)
    low, high = bootstrap.interval(statistic, labels, scores, np.arange(60), 0.95)
    assert low < MEASURES[statistic](labels, scores) < high


@pytest.mark.parametrize("right", [30, 28, 20])
def test_of_one_class_it_is_the_bound_of_clopper_and_pearson(right):
    labels = np.zeros(30, int)
    scores = np.eye(2)[(np.arange(30) >= right).astype(int)]
    low, high = bootstrap.interval(bootstrap.macro_recall, labels, scores, np.arange(30), 0.95)
    # The other class has no picture, and counts as 0 at one end and as 1 at the other.
    assert 2 * low == pytest.approx(lower_bound(right, 30, 0.95), abs=0.01)
    assert 2 * high - 1 == pytest.approx(upper_bound(right, 30, 0.95), abs=0.01)


def test_a_faultless_test_split_does_not_prove_perfection():
    labels = np.arange(60) % 3
    for statistic in (bootstrap.macro_recall, bootstrap.macro_precision, bootstrap.auc):
        low, high = bootstrap.interval(statistic, labels, np.eye(3)[labels], np.arange(60), 0.95)
        assert low < 0.97 and high == pytest.approx(1)
    ends = bootstrap.interval(
        bootstrap.calibration_error, labels, np.eye(3)[labels], np.arange(60), 0.95
    )
    assert ends[0] == 0 and ends[1] > 0.03


@pytest.mark.parametrize(
    ("statistic", "values"),
    [
        # Of the second class no picture is bad; the last has a bad one that weighs as two.
        (bootstrap.macro_recall, [20 / 21, 1, 30 / 32]),
        (bootstrap.macro_precision, [20 / 21, 1, 30 / 32]),
        # Beside a class' own bad picture, that of the next class is one of the others.
        (bootstrap.auc, [20 / 21, 50 / 52, 30 / 32 * 30 / 31]),
    ],
)
def test_of_faultless_pictures_the_bad_one_of_each_class_alone_counts(statistic, values):
    labels = np.repeat([0, 1, 2], [20, 10, 30])
    bad = np.array([[1.0, 0.0, 2.0]])
    value = statistic(labels, np.eye(3)[labels], np.ones((1, 60), np.float32), bad)
    assert value == pytest.approx(np.mean(values))


@pytest.mark.parametrize(
    ("statistic", "values"),
    [
        (bootstrap.macro_recall, [1 / 21, 0, 2 / 32]),
        (bootstrap.macro_precision, [1 / 41, 0, 1]),
        (bootstrap.auc, [1 / 21, 2 / 52, (2 * 31 + 30) / (32 * 31)]),
    ],
)
def test_of_pictures_that_are_all_wrong_the_good_one_of_each_class_alone_counts(statistic, values):
    labels = np.repeat([0, 1, 2], [20, 10, 30])
    good = np.array([[-1.0, 0.0, -2.0]])
    value = statistic(labels, 1 - np.eye(3)[labels], np.ones((1, 60), np.float32), good)
    assert value == pytest.approx(np.mean(values))


def test_an_average_over_classes_of_one_picture_is_not_proved_bad_by_chance():
    labels, random = np.arange(40), np.random.default_rng(0)
    proved = 0
    for _ in range(20):
        given = np.where(random.random(40) < 0.9, labels, (labels + 1) % 40)
        _, high = bootstrap.interval(
            bootstrap.macro_recall, labels, np.eye(40)[given], np.arange(40), 0.95
        )
        proved += high < 0.9
    assert proved <= 1


def test_many_pictures_are_drawn_a_part_at_a_time(monkeypatch):
    drawn = []

    def statistic(labels, scores, weights, bad):
        drawn.append(len(weights))
        return bootstrap.macro_recall(labels, scores, weights, bad)

    labels, scores = made_up(60)
    whole = bootstrap.interval(statistic, labels, scores, np.arange(60), 0.95)
    monkeypatch.setattr(bootstrap, "_MOST_WEIGHTS", 1500 * 60)
    parts = bootstrap.interval(statistic, labels, scores, np.arange(60), 0.95)
    assert drawn == [4000, 1500, 1500, 1000] and parts == pytest.approx(whole, abs=0.01)


def test_a_class_without_pictures_counts_as_nothing():
    labels = np.arange(60) % 2
    low, _ = bootstrap.interval(
        bootstrap.macro_recall, labels, np.eye(3)[labels], np.arange(60), 0.95
    )
    assert low < 2 / 3


def test_copies_of_a_picture_prove_no_more_than_the_picture():
    labels, scores = made_up(30)
    one = bootstrap.interval(bootstrap.macro_recall, labels, scores, np.arange(30), 0.95)
    ten = bootstrap.interval(
        bootstrap.macro_recall, np.repeat(labels, 10), np.repeat(scores, 10, axis=0),
        np.repeat(np.arange(30), 10), 0.95,
    )  # fmt: skip
    assert ten == pytest.approx(one)


def test_the_same_rows_give_the_same_bounds():
    labels, scores = made_up(40)
    first, again = (
        bootstrap.interval(bootstrap.auc, labels, scores, np.arange(40), 0.95) for _ in range(2)
    )
    assert first == again


def test_gaps_that_chance_opens_between_few_pictures_prove_no_calibration_error():
    proved = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        sure = random.uniform(0.5, 1, 40)
        labels = (random.random(40) > sure).astype(int)  # right as often as they say
        scores = np.stack([sure, 1 - sure], axis=1)
        low, _ = bootstrap.interval(
            bootstrap.calibration_error, labels, scores, np.arange(40), 0.95
        )
        assert measures.calibration_error(labels, scores) > 0.05
        proved.append(low > 0.05)
    assert sum(proved) <= 1
