"""The Evaluator node, really run on 42 pictures, with the stand-in as model and as baseline."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn.metrics
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import Channel, standard_artifacts

from components import features
from components.bounds import lower_bound, upper_bound
from components.evaluator import highlights, results
from components.evaluator.component import Evaluator
from components.evaluator.config import EvaluationSettings
from components.evaluator.executor import Executor, _bless, _why_no_baseline
from components.evaluator.figures import describe
from components.evaluator.thumbnails import THUMBNAILS_FILE, read_thumbnails
from components.fingerprints import labels_fingerprint
from components.gates import GATES_FILE, read_gates
from components.predictions import PREDICTIONS_FILE, read_predictions
from pipeline.beam_config import BeamSettings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def models(tmp_path_factory, save_model) -> Path:
    """`Model` artifacts by name: `good` is always right, `blind` never says green (2/3
    right), `dull` says blue whatever it sees (1/3).
    """
    folder = tmp_path_factory.mktemp("models")
    save_model(folder / "good" / "Format-Serving")
    save_model(folder / "reordered" / "Format-Serving", classes=("red", "blue", "green"))
    save_model(folder / "hedging" / "Format-Serving", blind_to=["green"], sure_from=0.7)
    save_model(folder / "blind" / "Format-Serving", blind_to=["green"])
    save_model(folder / "dull" / "Format-Serving", blind_to=["green", "red"], explains=True)
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
        inputs["baseline_model"].set_string_custom_property("version", "7")
        outputs = {
            "blessing": standard_artifacts.ModelBlessing(),
            "evaluation": standard_artifacts.ModelEvaluation(),
        }
        for name, artifact in outputs.items():
            artifact.uri = str(tmp_path_factory.mktemp(name))
        context = BaseBeamExecutor.Context(beam_pipeline_args=BeamSettings().pipeline_args())
        Executor(context).Do(
            {name: [artifact] for name, artifact in inputs.items()},
            {name: [artifact] for name, artifact in outputs.items()},
            {
                "settings": settings.model_dump_json(),
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
    assert left == {"BLESSED" if blessed else "NOT_BLESSED", GATES_FILE, "evidence"}
    return blessed


@pytest.fixture(scope="module")
def first_run(evaluate):
    """The blind model, nothing served, bounds of which it keeps some and breaks some."""
    settings = EvaluationSettings(
        thresholds={"accuracy": 0.4, "macro_recall": 0.7, "top_k_accuracy": 0.6},
        min_class_recall=0.1,
        top_k=2,
    )
    return evaluate("blind", None, settings)


def test_first_run_says_aloud_that_nothing_is_served(first_run):
    blessing, evaluation = first_run
    assert blessing.get_string_custom_property("baseline_note") == "no served model: not compared"
    (row,) = [g for g in read_gates(blessing.uri) if g.name == "not proved worse"]
    assert (row.verdict, row.value) == ("warn", None)
    assert row.message == "no served model: not compared"
    assert (Path(evaluation.uri) / results.CHANGES_FILE).read_text() == ""


def test_every_bound_is_a_row_kept_or_not(first_run):
    blessing, _ = first_run
    gates = {gate.name: gate for gate in read_gates(blessing.uri)}
    assert {name: gate.verdict for name, gate in gates.items()} == {
        "every class measured": "pass",
        "accuracy": "pass",
        "macro_recall": "fail",
        "top_k_accuracy": "fail",
        "recall of every class": "fail",
        "not proved worse": "warn",
    }
    assert gates["accuracy"].value == pytest.approx(2 / 3)
    assert gates["accuracy"].message == "0.6667 of 42 pictures; 0.5289 proved, 0.4 wanted"
    assert gates["recall of every class"].message.startswith("lowest: green with 0.0000 of 14")
    assert not is_blessed(blessing)


def test_a_retry_in_the_same_folder_leaves_its_own_verdict_alone(tmp_path):
    blessing = standard_artifacts.ModelBlessing()
    blessing.uri = str(tmp_path)
    for blessed in (False, True, False):
        _bless(blessing, blessed)
        assert blessing.get_int_custom_property("blessed") == blessed
        assert [path.name for path in tmp_path.iterdir()] == [
            "BLESSED" if blessed else "NOT_BLESSED"
        ]


def test_what_is_written_is_what_tfma_measures(first_run, worse_run):
    """Accuracy, loss, top-k and every cell of the confusion matrix, overall and per class."""
    for (_, evaluation), served in ((first_run, False), (worse_run, True)):
        predictions = read_predictions(evaluation.uri)
        metrics = results.read_metrics(evaluation.uri)
        assert (predictions.served is not None) is served
        right = predictions.candidate.argmax(axis=1) == predictions.labels
        compared = 0
        for part in tfma.load_metrics(evaluation.uri):
            labels = [key.bytes_value.decode() for key in part.slice_key.single_slice_keys]
            for metric in part.metric_keys_and_values:
                name, value = metric.key.name, metric.value.double_value.value
                if metric.key.is_diff:
                    continue
                of_model = metrics.served if metric.key.model_name == "baseline" else None
                if name == "confusion_matrix":
                    if not labels and of_model is None:
                        (matrix,) = metric.value.multi_class_confusion_matrix_at_thresholds.matrices
                        cells = np.zeros_like(metrics.confusion)
                        for one in matrix.entries:
                            cells[one.actual_class_id, one.predicted_class_id] = (
                                one.num_weighted_examples
                            )
                        assert cells.tolist() == metrics.confusion.tolist()
                        compared += 1
                    continue
                if labels and of_model is None and name == "accuracy":
                    own = right[predictions.pictures[features.LABEL] == labels[0]].mean()
                    assert value == pytest.approx(own)
                elif not labels:
                    of_model = metrics.overall if of_model is None else of_model
                    assert value == pytest.approx(of_model[name], rel=1e-5), name
                    compared += 1
        assert compared == (9 if served else 5)


def test_figures_are_those_of_the_most_probable_class(first_run):
    metrics = results.read_metrics(first_run[1].uri)
    assert metrics.classes == ["blue", "green", "red"]
    assert metrics.confusion.dtype == np.int64
    assert metrics.confusion.sum(axis=1).tolist() == [14, 14, 14]
    assert np.diag(metrics.confusion).tolist() == [14, 0, 14]
    blue_for_green, _, red_for_green = metrics.confusion[1].tolist()
    all_right = {"recall": 1.0, "interval": [lower_bound(14, 14, 0.975), 1.0], "count": 14}
    all_wrong = {"recall": 0.0, "interval": [0.0, upper_bound(0, 14, 0.975)], "count": 14}
    assert metrics.per_class == {
        "blue": {"precision": 14 / (14 + blue_for_green), **all_right},
        "green": {"precision": 0.0, **all_wrong},
        "red": {"precision": 14 / (14 + red_for_green), **all_right},
    }
    evidence = results.read_metrics(Path(first_run[0].uri, "evidence"))
    assert vars(evidence) | {"confusion": 0} == vars(metrics) | {"confusion": 0}
    precisions = [row["precision"] for row in metrics.per_class.values()]
    assert metrics.overall["macro_precision"] == pytest.approx(np.mean(precisions))
    assert metrics.overall["macro_recall"] == pytest.approx(2 / 3)
    assert metrics.overall["example_count"] == 42
    assert metrics.served == {}


def test_a_better_model_is_blessed_also_when_its_classes_have_another_order(evaluate):
    settings = EvaluationSettings(thresholds={"auc": 0.7}, proved_as_good={"overall": 0.1})
    blessing, evaluation = evaluate("reordered", "blind", settings)
    assert is_blessed(blessing)
    assert not blessing.has_custom_property("baseline_note")
    gates = {gate.name: gate for gate in read_gates(blessing.uri)}
    assert gates["not proved worse"].value == pytest.approx(1 / 3)
    note = "version 7 has no evidence of what it was trained on"
    assert gates["not proved worse"].message.endswith(note)
    assert gates["proved as good"].verdict == "pass"
    assert gates["auc"].value == pytest.approx(1)
    predictions = read_predictions(evaluation.uri)
    assert predictions.classes == ["red", "blue", "green"]
    served, green = predictions.served.argmax(axis=1), predictions.labels == 2
    assert (served[~green] == predictions.labels[~green]).all() and (served != 2).all()


def test_what_the_model_says_of_its_sureness_is_judged(evaluate, models, examples):
    settings = EvaluationSettings(
        min_label_set_coverage=0.45, min_accuracy_when_sure=0.9, min_share_sure=0.9
    )
    blessing, evaluation = evaluate("hedging", "good", settings)
    records = tf.data.TFRecordDataset(str(next(examples.glob("Split-*/*"))), features.COMPRESSION)
    batch = tf.constant(list(records.as_numpy_iterator()))
    model = tf.saved_model.load(str(models / "hedging" / "Format-Serving"))
    answers = model.signatures["from_examples"](batch)
    rows = read_predictions(evaluation.uri)
    assert rows.unsure.sum() == answers["unsure"].numpy().sum() and 0 < rows.unsure.sum() < 42
    assert rows.in_label_set.sum() == answers["in_label_set"].numpy().sum()
    np.testing.assert_array_equal(rows.in_label_set, rows.candidate >= 0.3)
    gates = {gate.name: gate for gate in read_gates(blessing.uri)}
    assert gates["label set coverage"].verdict == "pass"
    assert gates["accuracy when sure"].pictures == 42 - rows.unsure.sum()
    assert gates["share sure"].value == pytest.approx(1 - rows.unsure.mean())
    assert gates["share sure"].verdict == "fail"
    overall = results.read_metrics(evaluation.uri).overall
    assert overall["label_set_coverage"] == pytest.approx(gates["label set coverage"].value)
    assert describe({"evaluation": [evaluation]}).startswith(
        "test accuracy 0.6667 of 42 pictures; "
    )


@pytest.fixture(scope="module")
def loaded():
    """The models that `worse_run` has loaded, one after the other."""
    return []


@pytest.fixture(scope="module")
def worse_run(evaluate, models, loaded):
    """The dull model where the good one is served, which was trained on two of the pictures."""
    evidence = models / "good" / "evidence"
    evidence.mkdir()
    rows = {
        "image_id": [f"{number:064x}" for number in (0, 13, 2)],
        "group": [f"{number:064x}" for number in (0, 13, 2)],
        "split": ["train", "validation", "test"],
    }
    pq.write_table(pa.table(rows), evidence / "pictures.parquet")
    load = tf.compat.v1.saved_model.load_v2

    def noting(path, **options):
        loaded.append(Path(path).parent.name)
        return load(path, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.compat.v1.saved_model, "load_v2", noting)
        return evaluate("dull", "good", EvaluationSettings(thresholds={"accuracy": 0.1}))


def test_a_model_worse_than_the_served_one_is_not_blessed(worse_run):
    blessing, evaluation = worse_run
    assert not is_blessed(blessing)
    gates = {gate.name: gate for gate in read_gates(blessing.uri)}
    assert gates["accuracy"].verdict == "warn"  # 0.1 is below chance
    row = gates["not proved worse"]
    assert row.verdict == "fail" and row.pictures == 40
    message = "0 better, 27 worse of 40 (p 7.5e-09): proved worse; 2 pictures left out, "
    assert row.message == message + "the served model has learnt them"
    lines = (Path(evaluation.uri) / results.CHANGES_FILE).read_text().splitlines()
    changes = [json.loads(line) for line in lines]
    assert len(changes) == 27 and {change["change"] for change in changes} == {"worse"}
    assert changes[0]["path"] == "green/1.png" and changes[0]["served"] == "green"


def test_of_every_picture_there_is_a_thumbnail_and_of_the_worst_a_heat_map(worse_run):
    evaluation = worse_run[1].uri
    predictions = read_predictions(evaluation)
    ids = predictions.pictures["image_id"]
    kept, drawn = read_thumbnails(evaluation)
    assert set(kept) == set(ids)
    learnt = ids.isin([f"{number:064x}" for number in (0, 13)]).to_numpy()
    explained = set(ids[highlights.to_explain(predictions, ~learnt)])
    assert set(drawn) == explained < set(ids)
    assert explained < set(ids[highlights.to_explain(predictions)]), "no change that does not count"


def test_each_model_is_loaded_once_for_its_answers_and_heat_maps(worse_run, loaded):
    assert loaded == ["dull", "good"]


def test_beside_a_served_model_of_other_classes_it_is_judged_alone(evaluate):
    blessing, evaluation = evaluate("good", "other", EvaluationSettings())
    assert is_blessed(blessing)
    assert "other classes" in blessing.get_string_custom_property("baseline_note")
    assert read_predictions(evaluation.uri).served is None


def test_auc_and_loss_are_those_of_scikit_learn(worse_run, models, examples):
    overall = results.read_metrics(worse_run[1].uri).overall
    records = tf.data.TFRecordDataset(str(next(examples.glob("Split-*/*"))), features.COMPRESSION)
    batch = tf.constant(list(records.as_numpy_iterator()))
    model = tf.saved_model.load(str(models / "dull" / "Format-Serving"))
    scores = model.signatures["from_examples"](batch)["probabilities"].numpy()
    labels = model.signatures["transform_features"](batch)["label_xf"].numpy()
    auc = sklearn.metrics.roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    assert 0.6 < auc < 0.95  # worth comparing
    assert overall["auc"] == pytest.approx(auc)
    assert overall["loss"] == pytest.approx(sklearn.metrics.log_loss(labels, scores), rel=1e-5)


def test_only_whole_files_are_left(worse_run):
    left = {path.name for path in Path(worse_run[1].uri).iterdir()}
    assert {PREDICTIONS_FILE, results.CHANGES_FILE, "metrics.json", THUMBNAILS_FILE} < left
    assert not [name for name in left if name.startswith(".")]
    pictures = read_predictions(worse_run[1].uri).pictures
    known = labels_fingerprint(zip(pictures["image_id"], pictures["label"], strict=True))
    assert worse_run[0].get_string_custom_property("test_split") == known


def test_a_served_model_of_other_classes_is_not_compared_with(models):
    baseline = standard_artifacts.Model()
    baseline.uri = str(models / "other")
    baseline.set_int_custom_property("has_baseline", 1)
    note = _why_no_baseline(baseline, ["blue", "green", "red"])
    assert note == "served model not compared, it knows other classes (new: none; gone: pink)"
    baseline.uri = str(models / "reordered")
    assert _why_no_baseline(baseline, ["blue", "green", "red"]) == ""


def test_the_node_is_named_evaluator_and_its_properties_are_strings():
    node = Evaluator(
        examples=Channel(type=standard_artifacts.Examples),
        model=Channel(type=standard_artifacts.Model),
        baseline_model=Channel(type=standard_artifacts.Model),
        settings=EvaluationSettings(),
        example_splits=["test"],
        code_digest="abc",
    )
    assert node.id == "Evaluator"
    assert all(isinstance(value, str) for value in node.exec_properties.values())
    assert json.loads(node.exec_properties["example_splits"]) == ["test"]
    assert sorted(node.outputs) == ["blessing", "evaluation"]
