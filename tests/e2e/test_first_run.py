"""What one run leaves behind."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv

from components.classes import read_classes
from components.trainer.training_report import TrainingReport

NODES = {
    "ImageExampleGen",
    "StatisticsGen",
    "ImportSchemaGen",
    "ExampleValidator",
    "Transform",
    "Trainer",
    "BaselineFinder",
    "DataGate",
    "Evaluator",
    "ServingGate",
    "Pusher",
}


@pytest.fixture(scope="module")
def artifacts(first, recipe) -> Path:
    return recipe.folder / "artifacts"


def only(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path


def test_every_node_ran_and_no_gate_failed(first):
    assert first.executed == NODES
    assert first.result.succeeded
    assert {"accuracy", "not proved worse", "latency", "parity"} <= {
        gate.name for gate in first.result.gates
    }


def test_without_a_served_model_the_run_says_that_it_was_not_compared(first):
    (gate,) = [g for g in first.result.gates if g.name == "not proved worse"]
    assert gate.verdict == "warn" and "no served model" in gate.message
    assert first.reports["BaselineFinder"].summary == "nothing to compare with"


def test_what_the_data_gate_found_lies_with_the_pushed_version(first, recipe, artifacts):
    rows = {gate.name: gate.verdict for gate in first.result.gates[:9]}
    unknown = ("label drift", "fact drift", "test split")
    assert {rows[name] for name in unknown} == {"warn"}, "nothing was served"
    assert {verdict for name, verdict in rows.items() if name not in unknown} == {"pass"}
    evidence = recipe.push_destination / "evidence" / first.versions[0]
    assert {path.name for path in evidence.iterdir()} == {
        "pushed.json",
        "provenance.json",
        "gates.json",
        "pictures.parquet",
        "statistics",
        "test_split.json",
        "metrics.json",
        "README.md",
        "validation.parquet",
    }
    table = only(artifacts, "ImageExampleGen/examples/*/pictures.parquet")
    assert (evidence / "pictures.parquet").read_bytes() == table.read_bytes()
    splits = {path.name for path in (evidence / "statistics").iterdir()}
    assert splits == {"Split-train", "Split-validation", "Split-test"}


def test_the_summaries_of_the_nodes_hold_their_main_metrics(first, artifacts):
    summaries = {node_id: report.summary for node_id, report in first.reports.items()}
    assert summaries["ImageExampleGen"].startswith("120 pictures of 3 classes")
    assert summaries["ImageExampleGen"].endswith(", 1 set aside")
    assert summaries["ExampleValidator"] == "no anomalies"
    training = json.loads(only(artifacts, "Trainer/model_run/*/training.json").read_text())
    frozen, unfrozen = (f"{phase['val_accuracy']:.4f}" for phase in training["phases"])
    accuracies = f"validation accuracy: frozen {frozen}, unfrozen {unfrozen}"
    assert summaries["Trainer"].startswith(f"{accuracies}; kept: {training['kept']}")
    assert summaries["Pusher"] == f"version {first.versions[0]}"


def test_the_text_file_was_set_aside_with_its_name_and_the_reason(artifacts):
    line = only(artifacts, "ImageExampleGen/examples/*/quarantine.jsonl").read_text("utf-8")
    entry = json.loads(line)
    assert entry["path"] == "disc/kein Bild.jpg" and entry["reason"]


def test_pictures_are_bytes_to_the_statistics_and_labels_are_counted(artifacts):
    file = only(artifacts, "StatisticsGen/statistics/*/Split-train/FeatureStats.pb")
    (dataset,) = tfdv.load_stats_binary(str(file)).datasets
    features = {feature.path.step[0]: feature for feature in dataset.features}
    assert features["image"].HasField("bytes_stats"), "as strings, every picture is kept in memory"
    assert {v.value for v in features["label"].string_stats.top_values} == {"bar", "disc", "frame"}


def test_no_pixels_are_materialised(artifacts):
    written = {path.name for path in (artifacts / "Transform").iterdir()}
    assert "transform_graph" in written and "transformed_examples" not in written


def test_the_trainer_tells_both_phases(artifacts):
    report = TrainingReport.read(only(artifacts, "Trainer/model_run/[0-9]*"))
    frozen, unfrozen = report.phases
    assert (frozen.name, unfrozen.name) == ("frozen", "unfrozen")
    assert len(unfrozen.history["val_accuracy"]) == 1
    assert report.kept_phase.val_accuracy == max(frozen.val_accuracy, unfrozen.val_accuracy)


def test_once_published_the_state_of_the_training_is_gone(artifacts):
    assert not list((artifacts / "Trainer" / "model_run").glob(".state-*"))


def test_the_pushed_model_answers_for_pictures_it_has_never_seen(pushed, draw):
    assert read_classes(pushed) and sorted(read_classes(pushed)) == ["bar", "disc", "frame"]
    serve = tf.saved_model.load(str(pushed)).signatures["serving_default"]
    names = ["bar", "disc", "frame"] * 20
    answer = serve(tf.constant([draw(name, 90_000 + i) for i, name in enumerate(names)]))
    right = np.mean([a.decode() == b for a, b in zip(answer["label"].numpy(), names, strict=True)])
    assert right >= 0.8, right


def test_only_the_whole_version_lies_in_the_serving_folder(recipe, first):
    assert first.versions == ["1"]
    assert {path.name for path in recipe.push_destination.iterdir()} == {"1", "evidence"}
