"""What is measured of two models, and its files."""

import dataclasses
import json
import math

import numpy as np
import pytest

from components.evaluator import results
from components.evaluator.config import EvaluationSettings
from components.evaluator.paired import Change

pytestmark = pytest.mark.one_line


@pytest.fixture
def predictions(predict):
    """Three cats, two dogs and a fox; the model has four right, the served one two."""
    made = predict([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2], served=[0, 1, 1, 1, 2, 0])
    sets = np.eye(3, dtype=bool)[[0, 0, 0, 2, 1, 2]]
    sets[:3, 1] = True
    unsure = np.array([False, True, False, False, True, False])
    return dataclasses.replace(made, unsure=unsure, in_label_set=sets)


def test_both_models_are_measured_on_the_same_pictures(predictions):
    metrics = results.make_metrics(predictions, EvaluationSettings(top_k=2))
    assert metrics.confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    bounds = ([0.0943, 0.9916], [0.0126, 0.9874], [0.025, 1.0])
    intervals = [pytest.approx(ends, abs=1e-4) for ends in bounds]
    assert metrics.per_class == {
        "cat": {"precision": 1.0, "recall": 2 / 3, "interval": intervals[0], "count": 3},
        "dog": {"precision": 0.5, "recall": 0.5, "interval": intervals[1], "count": 2},
        "fox": {"precision": 0.5, "recall": 1.0, "interval": intervals[2], "count": 1},
    }
    overall = metrics.overall
    assert (overall["accuracy"], metrics.served["accuracy"]) == pytest.approx((4 / 6, 2 / 6))
    assert overall["macro_precision"] == pytest.approx(2 / 3)
    assert overall["macro_recall"] == pytest.approx((2 / 3 + 0.5 + 1) / 3)
    assert metrics.served["macro_precision"] == pytest.approx((1 / 2 + 1 / 3 + 0) / 3)
    assert metrics.served["macro_recall"] == pytest.approx((1 / 3 + 1 / 2 + 0) / 3)
    # Of the two classes that are not given the first of the list is the second.
    assert overall["top_k_accuracy"] == pytest.approx(5 / 6)
    assert metrics.served["top_k_accuracy"] == pytest.approx(4 / 6)
    assert overall["example_count"] == metrics.served["example_count"] == 6
    assert overall["loss"] < metrics.served["loss"]


def test_copies_of_a_picture_prove_no_more_of_a_class_than_the_picture(predict):
    copies = results.make_metrics(
        predict([0] * 30, [0] * 30, groups=[0] * 30), EvaluationSettings()
    )
    assert copies.per_class["cat"]["interval"] == pytest.approx([0.025, 1.0])
    assert copies.per_class["cat"]["count"] == 30


def test_what_a_model_says_of_its_sureness_is_measured_where_it_is_sure(predictions):
    overall = results.make_metrics(predictions, EvaluationSettings()).overall
    assert overall["share_sure"] == pytest.approx(4 / 6)
    assert overall["accuracy_when_sure"] == pytest.approx(3 / 4)
    assert overall["label_set_coverage"] == pytest.approx(5 / 6)
    assert overall["label_set_size"] == pytest.approx(9 / 6)
    never = dataclasses.replace(predictions, unsure=np.ones(6, bool))
    assert math.isnan(results.hedges(never)["accuracy_when_sure"])


def test_metrics_and_changes_are_read_as_they_were_written(predictions, tmp_path):
    metrics = results.make_metrics(predictions, EvaluationSettings())
    results.write_metrics(tmp_path, metrics)
    read = results.read_metrics(tmp_path)
    assert read.confusion.dtype == np.int64 and np.array_equal(read.confusion, metrics.confusion)
    assert vars(read) | {"confusion": 0} == vars(metrics) | {"confusion": 0}
    changes = [Change("worse", "id", "süß\n.png", "cat", "dog", "cat")] * 2
    results.write_changes(tmp_path, changes)
    lines = (tmp_path / "changes.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [vars(change) for change in changes]
    assert r'"süß\n.png"' in lines[0]


def test_what_is_no_number_is_not_right(predictions):
    broken = np.full_like(predictions.candidate, np.nan)
    predictions = dataclasses.replace(predictions, candidate=broken, served=broken)
    metrics = results.make_metrics(predictions, EvaluationSettings(top_k=4))
    for name in ("accuracy", "top_k_accuracy", "macro_recall", "macro_precision"):
        assert metrics.overall[name] == metrics.served[name] == 0.0, name
    assert metrics.confusion.trace() == metrics.overall["accuracy_when_sure"] == 0


def test_of_no_pictures_nothing_is_measured(predict):
    overall = results.make_metrics(predict([], []), EvaluationSettings()).overall
    assert overall.pop("example_count") == 0.0
    assert len(overall) == 7 and all(map(math.isnan, overall.values()))
