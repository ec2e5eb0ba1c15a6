"""What a training came to: ranked, written, read."""

import dataclasses
import json

import pytest

from components.trainer.figures import describe
from components.trainer.ranking import rank, ranks
from components.trainer.training_report import (
    TRAINING_FILE,
    ParameterCount,
    PhaseResult,
    PseudoLabelCounts,
    TrainingReport,
)


def phase(name, accuracies, losses, best):
    history = {"val_accuracy": accuracies, "val_loss": losses}
    return PhaseResult(name, ParameterCount(3, 10, 2), history, best, seconds=1.5)


@pytest.fixture
def report():
    phases = [phase("frozen", [0.5, 0.75], [2.0, 1.0], 1), phase("unfrozen", [0.625], [0.5], 0)]
    return TrainingReport(phases, "frozen", PseudoLabelCounts(1200, {"cat": 1000, "dog": 7}))


def test_accuracy_comes_first_and_the_loss_breaks_ties():
    assert rank(0.9, 0.3) > rank(0.8, 0.1)
    assert rank(0.9, 0.2) > rank(0.9, 0.3)


def test_with_class_weights_the_weighted_accuracy_chooses():
    history = {"val_accuracy": [0.9, 0.8], "val_loss": [0.1, 0.2]}
    assert ranks(history)[0] > ranks(history)[1]
    weighted = history | {"val_weighted_accuracy": [0.6, 0.7]}
    assert ranks(weighted)[0] < ranks(weighted)[1]


def test_a_phase_is_told_by_its_best_epoch(report):
    assert (report.kept_phase.val_accuracy, report.kept_phase.val_loss) == (0.75, 1.0)
    assert report.kept_phase.rank == (0.75, -1.0)
    first = phase("of its first epoch", [0.5, 0.75], [2.0, 1.0], 0)
    assert (first.val_accuracy, first.val_loss, first.rank) == (0.5, 2.0, (0.5, -2.0))
    assert dataclasses.replace(report, kept="unfrozen").kept_phase.val_accuracy == 0.625


@pytest.mark.parametrize("labels", [True, False])
def test_what_is_written_is_read_again(report, labels, tmp_path):
    if not labels:
        report = TrainingReport(report.phases, report.kept, precision="bf16", temperature=1.5)
    report.write(str(tmp_path))
    assert TrainingReport.read(tmp_path) == report
    # People and other tools read the file too.
    text = (tmp_path / TRAINING_FILE).read_text()
    assert len(text.splitlines()) > 20, "not in one line"
    written = json.loads(text)
    assert written["kept"] == "frozen"
    told = [(p["val_accuracy"], p["val_loss"]) for p in written["phases"]]
    assert told == [(0.75, 1.0), (0.625, 0.5)]
    assert (written["pseudo_labels"] is None) == (not labels)


def test_a_report_from_before_precision_and_temperature_is_read(report, tmp_path):
    report.write(str(tmp_path))
    written = json.loads((tmp_path / TRAINING_FILE).read_text())
    del written["precision"], written["temperature"]
    assert TrainingReport.from_json(json.dumps(written)) == report


def test_the_line_of_the_node(report, tmp_path):
    report.write(str(tmp_path))
    artifact = type("Artifact", (), {"uri": str(tmp_path)})
    assert describe({"model_run": [artifact]}) == (
        "validation accuracy: frozen 0.7500, unfrozen 0.6250; kept: frozen; "
        "labelled itself: 1,000 cat, 7 dog of 1,200"
    )
    dataclasses.replace(report, pseudo_labels=None).write(str(tmp_path))
    assert describe({"model_run": [artifact]}).endswith("unfrozen 0.6250; kept: frozen")
