"""Which pictures are worth looking at."""

import dataclasses

import numpy as np
import pytest

from components.evaluator import highlights


@pytest.fixture
def predictions(predict):
    """Of six pictures two are wrong: one surely, whose label is suspect, and one barely."""
    made = predict([0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 2, 2], [0, 0, 2, 2, 2, 2])
    scores = [
        [0.7, 0.2, 0.1],
        [0.02, 0.95, 0.03],
        [0.1, 0.9, 0.0],
        [0.3, 0.3, 0.4],
        [0.0, 0.1, 0.9],
        [0.1, 0.0, 0.9],
    ]
    return dataclasses.replace(made, candidate=np.array(scores, np.float32))


def test_the_surest_mistake_is_the_worst(predictions):
    assert highlights.worst_mistakes(predictions, 9).tolist() == [1, 3]
    assert highlights.worst_mistakes(predictions, 1).tolist() == [1]


def test_the_least_sure_has_the_lowest_highest_probability(predictions):
    assert highlights.least_sure(predictions, 2).tolist() == [3, 0]


def test_a_label_is_suspect_where_another_class_is_as_sure_as_usual(predictions):
    assert highlights.suspected_labels(predictions, 9).tolist() == [1]


def test_what_is_usual_is_that_of_the_answer_and_not_of_the_label(predict):
    made = predict([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 0])
    cats = np.array([0.95, 0.95, 0.42, 0.4, 0.4, 0.65], np.float32)
    scores = np.stack([cats, 1 - cats, np.zeros(6, np.float32)], axis=1)
    made = dataclasses.replace(made, candidate=scores)
    # Pictures of dogs get 0.52 for it, whatever they are taken for, which the third is above with
    # 0.58; cats 0.77, and the last is below.
    assert highlights.suspected_labels(made, 9).tolist() == [2]


def test_a_class_without_pictures_makes_no_label_suspect(predict):
    wrong = predict([0, 0], [1, 1])
    assert highlights.suspected_labels(wrong, 9).tolist() == []


def test_right_ones_are_of_each_class_in_turn(predict):
    many = predict([0] * 5 + [2], [0] * 5 + [2])
    assert highlights.right_ones(many, 9).tolist() == [0, 5, 1, 2]


def test_the_surest_right_one_of_a_class_comes_first(predict):
    made = predict([0, 0, 0, 1], [0, 0, 0, 1])
    sure = np.array([0.6, 0.8, 0.7, 0.3], np.float32)
    scores = np.stack([sure, 1 - sure, np.zeros(4, np.float32)], axis=1)
    made = dataclasses.replace(made, candidate=scores)
    assert highlights.right_ones(made, 9).tolist() == [1, 3, 2, 0]


def test_what_got_worse_and_better(predictions, predict):
    assert highlights.changed(predictions, 4).tolist() == [1, 2]
    assert highlights.changed(predict([0], [1]), 4).tolist() == []


def test_as_many_that_got_worse_are_shown_as_got_better(predict):
    labels, wrong = np.zeros(20, int), np.ones(20, int)
    first = np.arange(20) < 10
    made = predict(labels, np.where(first, wrong, 0), served=np.where(first, 0, wrong))
    assert highlights.changed(made, 6).tolist() == [0, 1, 2, 10, 11, 12]
    # Where one kind is rare the other gets no more room for it.
    rare = predict(labels[9:], np.where(first, wrong, 0)[9:], served=np.where(first, 0, wrong)[9:])
    assert highlights.changed(rare, 6).tolist() == [0, 1, 2, 3]
    assert highlights.changed(predict([0] * 9, [1] * 9, served=[0] * 9), 6).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (highlights.worst_mistakes, range(1, 1001, 2)),
        (highlights.suspected_labels, range(1, 1001, 2)),
        (highlights.least_sure, range(1001)),
        (highlights.right_ones, [0, 2, 4, 6]),
    ],
)
def test_of_equally_sure_ones_those_of_the_first_rows_are_in_front(predict, kind, expected):
    # A dog, and then cats of which every other one is taken for a dog.
    labels = np.zeros(1001, int)
    labels[0] = 1
    given = np.where(np.arange(1001) % 2, 1, labels)
    assert kind(predict(labels, given), 1001).tolist() == list(expected)


def test_what_got_better_needs_no_explanation(predict):
    # Thirty right ones of the same sureness, of which the last got better and the first worse.
    labels = np.zeros(30, int)
    made = predict(labels, np.arange(30) == 0, served=np.arange(30) == 29)
    assert 0 in highlights.to_explain(made) and 29 not in highlights.to_explain(made)


def test_what_the_served_model_has_learnt_takes_no_place_of_what_is_shown_as_changed(predict):
    # A hundred got worse, equally sure and all but the last twenty learnt, and as many got better.
    labels, later = np.zeros(200, int), np.arange(200) >= 100
    made = predict(labels, ~later, served=later)
    compared = np.arange(200) % 100 >= 80
    shown = [*range(80, 86), *range(180, 186)]
    assert highlights.changed(made, 12, compared).tolist() == shown
    assert {*range(80, 92)} <= set(highlights.to_explain(made, compared))
    assert {*range(80, 100), *range(180, 200)} <= set(
        highlights.to_keep(made, compared=compared).tolist()
    )


def test_each_is_kept_once_and_no_more_than_asked_for(predictions):
    assert sorted(highlights.to_keep(predictions)) == [0, 1, 2, 3, 4, 5]
    assert highlights.to_keep(predictions, 3).tolist()[0] == 1
    assert len(highlights.to_keep(predictions, 3)) == 3


def test_mistakes_and_the_least_sure_are_explained(predictions, predict):
    assert highlights.to_explain(predictions).tolist()[:2] == [1, 3]
    sure = predict([0] * 40, [0] * 20 + [1] * 20)
    explained = highlights.to_explain(sure).tolist()
    least = highlights.least_sure(sure, 12).tolist()
    assert set(explained) == {*range(20, 32), *least}


@pytest.mark.parametrize("pictures", [0, 3])
def test_few_pictures_and_what_is_no_number(predict, pictures):
    made = predict([0] * pictures, [0] * pictures)
    broken = dataclasses.replace(made, candidate=np.full_like(made.candidate, np.nan))
    assert len(highlights.to_keep(broken)) == pictures


def test_of_suspect_labels_the_least_probable_is_in_front(predict):
    made = predict([0, 0, 0, 0, 1], [0, 1, 1, 1, 1])
    scores = np.array([[1, 0], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7], [0.3, 0.7]], np.float32)
    made = dataclasses.replace(made, candidate=np.column_stack([scores, np.zeros(5, np.float32)]))
    assert highlights.suspected_labels(made, 9).tolist() == [2, 1, 3]
    assert highlights.suspected_labels(made, 1).tolist() == [2]


def test_right_ones_are_kept_beside_all_that_may_be_wrong(predict):
    labels = np.arange(120) % 3
    made = predict(labels, labels)
    sure = np.linspace(0.5, 0.9, 120, dtype=np.float32)
    scores = np.where(np.eye(3)[labels] > 0, sure[:, None], (1 - sure[:, None]) / 2)
    made = dataclasses.replace(made, candidate=scores)
    assert highlights.to_keep(made).tolist() == [*range(40), *range(119, 110, -1)]
