"""Precision, recall and AUC per class, against scikit-learn; loss and calibration, by hand."""

import math

import numpy as np
import pytest
import sklearn.metrics

from components.evaluator.measures import (
    auc_per_class,
    calibration_error,
    loss,
    precision_per_class,
    ranks,
    recall_per_class,
)


def test_of_equally_probable_classes_the_first_is_the_most_probable():
    scores = np.array([[0.4, 0.4, 0.2]] * 3, np.float32)
    assert ranks(np.arange(3), scores).tolist() == [0, 1, 2]
    assert ranks(np.array([2]), np.array([[0.1, 0.2, 0.7]])).tolist() == [0]


def test_what_is_no_number_makes_no_class_one_of_the_first():
    nan = np.nan
    scores = np.array([[nan, nan, nan], [nan, 0.2, 0.8], [0.1, nan, 0.8], [0.1, 0.2, 0.7]])
    places = ranks(np.array([0, 0, 2, 2]), scores)
    assert places[3] == 0 and (places[:3] > 1000).all()


def test_precision_and_recall_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    true, predicted = random.integers(0, 4, (2, 200))
    confusion = sklearn.metrics.confusion_matrix(true, predicted)
    precision, recall, _, _ = sklearn.metrics.precision_recall_fscore_support(true, predicted)
    np.testing.assert_allclose(precision_per_class(confusion), precision)
    np.testing.assert_allclose(recall_per_class(confusion), recall)


def test_a_class_never_predicted_has_precision_0_and_one_without_pictures_has_neither():
    confusion = np.array([[2, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(precision_per_class(confusion), [2 / 3, 0, np.nan, 1])
    np.testing.assert_allclose(recall_per_class(confusion), [1, 0, np.nan, 1])


def test_auc_is_that_of_scikit_learn_also_with_ties():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 100)
    scores = random.random((100, 3)).round(1)
    expected = [
        sklearn.metrics.roc_auc_score(labels == number, scores[:, number]) for number in range(3)
    ]
    np.testing.assert_allclose(auc_per_class(labels, scores), expected)


def test_a_class_with_no_or_all_pictures_has_no_auc():
    scores = np.array([[0.9, 0.1], [0.8, 0.2]])
    np.testing.assert_array_equal(auc_per_class(np.array([0, 0]), scores), [np.nan, np.nan])
    np.testing.assert_array_equal(auc_per_class(np.array([0, 1]), scores), [1, 1])


def test_a_faultless_loss_is_0_and_a_hopeless_one_is_a_number():
    sure = np.eye(2, dtype=np.float32)[[0, 0]]
    assert f"{loss(np.array([0, 0]), sure):.4f}" == "0.0000"
    assert loss(np.array([0, 1]), sure) == pytest.approx(-math.log(1e-7) / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("sure", "right", "error"),
    [
        ([0.9, 0.9, 0.6, 0.6], [1, 0, 1, 1], 0.4),  # too sure there, not sure enough here
        ([0.9, 0.9], [1, 0], 0.4),  # one of the two is right
        ([0.66, 0.67], [1, 0], (0.34 + 0.67) / 2),  # on both sides of 10/15
        ([0.68, 0.72], [1, 0], 0.2),  # between 10/15 and 11/15
        ([0.95, 1.0], [1, 0], 0.475),  # 1 is in the last bin
    ],
)
def test_being_too_sure_and_not_sure_enough_cancel_within_a_bin_alone(sure, right, error):
    scores = np.stack([sure, 1 - np.array(sure)], axis=1)
    labels = 1 - np.array(right)
    assert calibration_error(labels, scores) == pytest.approx(error)
