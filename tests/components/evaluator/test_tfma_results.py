"""Rows from TFMA's numbers, without running TFMA."""

import pytest

from components.evaluator import tfma_results
from components.evaluator.config import EvaluationSettings
from components.evaluator.eval_config import make_eval_config
from components.evaluator.tfma_results import _Key

SETTINGS = EvaluationSettings(
    thresholds={"accuracy": 0.8, "auc": 0.7}, max_drop={"auc": 0.01}, min_class_recall=0.5
)
MEASURED = {
    _Key("accuracy"): 0.8,
    _Key("accuracy", "cat"): 0.9,
    _Key("accuracy", "dog"): 0.7,
    _Key("auc"): 0.95,
    _Key("auc", model="baseline"): 0.95,
    _Key("auc", is_diff=True): 0.0,
}


@pytest.fixture
def verdicts(monkeypatch):
    """Verdicts by row, of some numbers and of those among them that TFMA refused."""

    def verdicts(values, failed=(), note=""):
        monkeypatch.setattr(tfma_results, "_read_values", lambda _: values)
        monkeypatch.setattr(tfma_results, "_read_failures", lambda _: set(failed))
        gates = tfma_results.make_gates("evaluation", make_eval_config(SETTINGS), note)
        return {gate.name: gate.verdict for gate in gates}

    return verdicts


def test_numbers_that_tfma_accepts_pass(verdicts):
    assert set(verdicts(MEASURED).values()) == {"pass"} and len(verdicts(MEASURED)) == 4


@pytest.mark.parametrize(
    ("key", "row"),
    [
        (_Key("auc"), "auc"),
        (_Key("auc", is_diff=True), "auc against served"),
        (_Key("accuracy", "dog"), "recall of every class"),
    ],
)
def test_a_number_that_tfma_refuses_fails_its_row_alone(verdicts, key, row):
    found = verdicts(MEASURED, failed=[key])
    assert [name for name, verdict in found.items() if verdict == "fail"] == [row]


@pytest.mark.parametrize(
    ("missing", "row"),
    [(_Key("auc"), "auc"), (_Key("auc", is_diff=True), "auc against served")],
)
def test_a_metric_without_a_value_fails(verdicts, missing, row):
    found = verdicts({key: value for key, value in MEASURED.items() if key != missing})
    assert [name for name, verdict in found.items() if verdict == "fail"] == [row]


def test_without_pictures_of_any_class_the_bound_on_every_class_fails(verdicts):
    overall = {key: value for key, value in MEASURED.items() if not key.label}
    assert verdicts(overall)["recall of every class"] == "fail"


def test_what_could_not_be_compared_is_a_warning(verdicts):
    found = verdicts(MEASURED, note="no served model: not compared")
    assert found["auc against served"] == "warn" and found["auc"] == "pass"
