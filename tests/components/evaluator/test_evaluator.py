"""The Evaluator node, really run on 42 pictures, with the stand-in as model and as baseline."""

import json
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import Channel, standard_artifacts
from tfx.utils import proto_utils

from components import features
from components.evaluator import executor, results
from components.evaluator.component import Evaluator
from components.evaluator.config import EvaluationSettings
from components.evaluator.eval_config import make_eval_config
from components.evaluator.executor import Executor, _why_no_baseline
from components.gates import GATES_FILE, Gate, read_gates

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def models(tmp_path_factory, save_model) -> Path:
    """`Model` artifacts by name: `good` is always right, `blind` never says green (2/3
    right), `dull` says blue whatever it sees (1/3).
    """
    folder = tmp_path_factory.mktemp("models")
    save_model(folder / "good" / "Format-Serving")
    save_model(folder / "reordered" / "Format-Serving", classes=("red", "blue", "green"))
    save_model(folder / "blind" / "Format-Serving", blind_to=["green"])
    save_model(folder / "dull" / "Format-Serving", blind_to=["green", "red"])
    save_model(folder / "other" / "Format-Serving", classes=("blue", "green", "red", "pink"))
    return folder


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory, models, examples):
    """Runs the executor; gives the artifacts `blessing` and `evaluation`."""

    def run(model: str, baseline: str | None, settings: EvaluationSettings):
        inputs = {
            "examples": standard_artifacts.Examples(),
            "model": standard_artifacts.Model(),
            "baseline_model": standard_artifacts.Model(),
        }
        inputs["examples"].uri = str(examples)
        inputs["examples"].split_names = '["test"]'
        inputs["model"].uri = str(models / model)
        inputs["baseline_model"].uri = str(models / baseline if baseline else models / "none")
        inputs["baseline_model"].set_int_custom_property("has_baseline", int(bool(baseline)))
        outputs = {
            "blessing": standard_artifacts.ModelBlessing(),
            "evaluation": standard_artifacts.ModelEvaluation(),
        }
        for name, artifact in outputs.items():
            artifact.uri = str(tmp_path_factory.mktemp(name))
        context = BaseBeamExecutor.Context(
            beam_pipeline_args=["--runner=FnApiRunner", "--direct_running_mode=in_memory"]
        )
        Executor(context).Do(
            {name: [artifact] for name, artifact in inputs.items()},
            {name: [artifact] for name, artifact in outputs.items()},
            {
                "eval_config": proto_utils.proto_to_json(make_eval_config(settings)),
                "example_splits": '["test"]',
                "code_digest": "",
            },
        )
        return outputs["blessing"], outputs["evaluation"]

    return run


def is_blessed(blessing) -> bool:
    """What the Pusher looks at; the marker file must agree, and the gates travel with it."""
    left = {path.name for path in Path(blessing.uri).iterdir()}
    blessed = blessing.get_int_custom_property("blessed") == 1
    assert left == {"BLESSED" if blessed else "NOT_BLESSED", GATES_FILE}
    return blessed


@pytest.fixture(scope="module")
def first_run(evaluate):
    """The blind model, nothing served, bounds of which it keeps some and breaks some."""
    settings = EvaluationSettings(
        thresholds={"accuracy": 0.6, "macro_recall": 0.7, "top_k_accuracy": 0.6},
        max_drop={"accuracy": 0.0},
        min_class_recall=0.1,
    )
    return evaluate("blind", None, settings)


def test_first_run_says_aloud_that_nothing_is_served(first_run):
    blessing, _ = first_run
    assert blessing.get_string_custom_property("baseline_note") == "no served model: not compared"
    (row,) = [g for g in read_gates(blessing.uri) if g.name == "accuracy against served"]
    assert row.verdict == "warn"
    assert row.value is None
    assert row.message == "no served model: not compared"


def test_every_bound_is_a_row_kept_or_not(first_run):
    blessing, _ = first_run
    gates = {gate.name: gate for gate in read_gates(blessing.uri)}
    assert {name: gate.verdict for name, gate in gates.items()} == {
        "accuracy": "pass",
        "accuracy against served": "warn",
        "recall of every class": "fail",
        "top_k_accuracy": "pass",
        "macro_recall": "fail",
    }
    assert gates["accuracy"].value == pytest.approx(2 / 3)
    assert gates["accuracy"].bound == 0.6
    assert gates["accuracy"].message == "0.6667, at least 0.6 wanted"
    assert gates["macro_recall"].value == pytest.approx(2 / 3)
    assert gates["recall of every class"].value == 0
    assert gates["recall of every class"].message.startswith("lowest: green with 0.0000")
    assert not is_blessed(blessing)


def test_figures_are_those_of_the_most_probable_class(first_run):
    metrics = results.read_metrics(first_run[1].uri)
    assert metrics.classes == ["blue", "green", "red"]
    assert metrics.confusion.dtype == np.int64
    assert metrics.confusion.sum(axis=1).tolist() == [14, 14, 14]
    assert np.diag(metrics.confusion).tolist() == [14, 0, 14]
    blue_for_green, _, red_for_green = metrics.confusion[1].tolist()
    assert metrics.per_class == {
        "blue": {"precision": 14 / (14 + blue_for_green), "recall": 1.0, "count": 14},
        "green": {"precision": 0.0, "recall": 0.0, "count": 14},
        "red": {"precision": 14 / (14 + red_for_green), "recall": 1.0, "count": 14},
    }
    precisions = [row["precision"] for row in metrics.per_class.values()]
    assert metrics.overall["macro_precision"] == pytest.approx(np.mean(precisions))
    assert metrics.overall["macro_recall"] == pytest.approx(2 / 3)
    assert metrics.overall["accuracy"] == pytest.approx(2 / 3)
    assert metrics.overall["top_k_accuracy"] == 1  # of three classes, all are the top 3
    assert metrics.overall["example_count"] == 42
    assert metrics.served == {}


def test_an_equal_model_is_blessed_also_when_its_classes_have_another_order(evaluate):
    settings = EvaluationSettings(thresholds={"auc": 0.99}, max_drop={"accuracy": 0.0})
    blessing, evaluation = evaluate("reordered", "good", settings)
    assert is_blessed(blessing)
    assert not blessing.has_custom_property("baseline_note")
    gates = {gate.name: gate for gate in read_gates(blessing.uri)}
    assert gates["accuracy against served"].value == 0
    assert gates["auc"].value == pytest.approx(1)
    metrics = results.read_metrics(evaluation.uri)
    assert metrics.overall["accuracy"] == metrics.served["accuracy"] == 1
    assert metrics.confusion.tolist() == np.diag([14, 14, 14]).tolist()


def test_a_better_model_is_blessed(evaluate):
    blessing, _ = evaluate("good", "blind", EvaluationSettings())
    assert is_blessed(blessing)
    (row,) = [g for g in read_gates(blessing.uri) if g.name == "accuracy against served"]
    assert row.value == pytest.approx(1 / 3)


@pytest.fixture(scope="module")
def worse_run(evaluate):
    """The dull model where the good one is served."""
    return evaluate("dull", "good", EvaluationSettings(thresholds={"accuracy": 0.3}))


def test_a_model_worse_than_the_served_one_is_not_blessed(worse_run):
    blessing, _ = worse_run
    assert not is_blessed(blessing)
    gates = {gate.name: gate for gate in read_gates(blessing.uri)}
    assert gates["accuracy"].verdict == "pass"
    assert gates["accuracy against served"].verdict == "fail"
    assert gates["accuracy against served"].value == pytest.approx(-2 / 3)
    message = "0.3333, served model 1.0000, at most 0.01 less allowed"
    assert gates["accuracy against served"].message == message


def test_auc_and_loss_are_those_of_scikit_learn(worse_run, models, examples):
    overall = results.read_metrics(worse_run[1].uri).overall
    records = tf.data.TFRecordDataset(str(next(examples.glob("*/*"))), features.COMPRESSION)
    batch = tf.constant(list(records.as_numpy_iterator()))
    model = tf.saved_model.load(str(models / "dull" / "Format-Serving"))
    scores = model.signatures["from_examples"](batch)["probabilities"].numpy()
    labels = model.signatures["transform_features"](batch)["label_xf"].numpy()
    auc = sklearn.metrics.roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    assert 0.6 < auc < 0.95  # worth comparing
    assert overall["auc"] == pytest.approx(auc)
    assert overall["loss"] == pytest.approx(sklearn.metrics.log_loss(labels, scores), rel=1e-5)


def test_tfma_and_the_rows_cannot_disagree(evaluate, monkeypatch):
    """The blessing is what the rows say, and TFMA's own no is one of them."""
    settings = EvaluationSettings(thresholds={"accuracy": 0.5}, max_drop={})
    broken = [Gate("accuracy", "fail", None, 0.5, "not measured")]
    monkeypatch.setattr(executor.tfma_results, "make_gates", lambda *_: broken)
    blessing, _ = evaluate("good", None, settings)
    assert not is_blessed(blessing) and read_gates(blessing.uri) == broken

    kept = Gate("accuracy", "pass", 1 / 3, 0.3, "0.3333, at least 0.3 wanted")
    monkeypatch.setattr(executor.tfma_results, "make_gates", lambda *_: [kept])
    blessing, _ = evaluate("dull", None, settings)
    assert not is_blessed(blessing)
    assert [gate.name for gate in read_gates(blessing.uri)] == ["accuracy", "TFMA"]


def test_a_served_model_of_other_classes_is_not_compared_with(models):
    baseline = standard_artifacts.Model()
    baseline.uri = str(models / "other")
    baseline.set_int_custom_property("has_baseline", 1)
    note = _why_no_baseline({"baseline_model": [baseline]}, ["blue", "green", "red"])
    assert note == "served model not compared, it knows other classes (new: none; gone: pink)"
    baseline.uri = str(models / "reordered")
    assert _why_no_baseline({"baseline_model": [baseline]}, ["blue", "green", "red"]) == ""


def test_the_node_is_named_evaluator_and_its_properties_are_strings():
    node = Evaluator(
        examples=Channel(type=standard_artifacts.Examples),
        model=Channel(type=standard_artifacts.Model),
        baseline_model=Channel(type=standard_artifacts.Model),
        eval_config=make_eval_config(EvaluationSettings()),
        example_splits=["test"],
        code_digest="abc",
    )
    assert node.id == "Evaluator"
    assert all(isinstance(value, str) for value in node.exec_properties.values())
    assert json.loads(node.exec_properties["example_splits"]) == ["test"]
    assert sorted(node.outputs) == ["blessing", "evaluation"]
