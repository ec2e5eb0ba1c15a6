"""A list of phases, a teacher and unlabelled pictures, through the whole pipeline."""

import keras
import pytest

from components.trainer.targets import teacher_files
from pipeline import preflight
from pipeline.config import Recipe
from pipeline.local_runner import run_local, run_up_to


@pytest.fixture(scope="module")
def taught(recipe, first, tmp_path_factory, write_pictures, draw, tiny_network) -> Recipe:
    """The shapes again, taught by the model that the first run pushed."""
    folder = tmp_path_factory.mktemp("more")
    unlabelled = folder / "unlabelled"
    write_pictures(unlabelled, classes=("bar", "disc"), per_class=43)  # 40 of each are labelled
    (unlabelled / "frame.jpg").write_bytes(draw("frame", 999))
    weights = folder / "tiny.weights.h5"
    keras.applications.MobileNetV2((32, 32, 3), include_top=False, weights=None).save_weights(
        weights
    )
    values = recipe.model_dump() | {
        "name": "taught",
        "backbone": {"alpha": 0.35, "image_size": 32, "weights": str(weights)},
        "training": {
            "batch_size": 16,
            "phases": [
                {"name": "head", "epochs": 6, "learning_rate": 0.01},
                {"name": "deeper", "epochs": 1, "learning_rate": 1e-5, "fine_tune_at": 1},
            ],
        },
        "distillation": {"teacher": str(recipe.push_destination)},
        "pseudo_labels": {"source": str(unlabelled), "threshold": 0.3},
        "evaluation": {"thresholds": {"accuracy": 0.1}},
    }
    return Recipe.model_validate(values)


@pytest.fixture(scope="module")
def finished(taught, run):
    return run(taught)


def test_every_gate_says_yes_to_what_all_phases_and_sources_made(finished):
    assert finished.result.succeeded and len(finished.versions) == 1
    figure = finished.reports["Trainer"].summary
    phases = ("head", "deeper")
    names = [*phases, *(f"{name} with pseudo-labels" for name in phases)]
    assert [figure.count(f" {name} 0.") + figure.count(f" {name} 1.") for name in names] == [1] * 4
    assert "labelled itself: " in figure and figure.endswith(" of 7")


def test_unlabelled_pictures_are_counted_and_left_out_of_the_statistics(finished, taught):
    figure = finished.reports["ImageExampleGen"].summary
    assert figure.endswith("7 unlabelled (80 copies of labelled ones left out)")
    splits = {path.name for path in taught.folder.glob("artifacts/StatisticsGen/statistics/*/*")}
    assert splits == {"Split-train", "Split-validation", "Split-test"}


def test_the_same_again_comes_from_the_cache(finished, taught, recorder):
    run_up_to("Trainer", taught, recorder, preflight.inspect(taught, preflight.Scope.MACHINE))
    cached = {node for node, report in recorder.reports.items() if report.cached}
    assert cached >= {"ImageExampleGen", "StatisticsGen", "Transform", "Trainer"}


def test_another_teacher_is_another_training(taught, first, recipe):
    before = teacher_files.fingerprint(taught.distillation)
    newest = recipe.push_destination / first.versions[-1]
    (newest / "assets.extra" / "note.txt").write_text("changed")
    assert teacher_files.fingerprint(taught.distillation) != before
    (newest / "assets.extra" / "note.txt").unlink()


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ({"distillation": {"teacher": "nowhere"}}, r"distillation\.teacher: nowhere is no folder"),
        ({"pseudo_labels": {"source": "nowhere"}}, r"pseudo_labels\.source .* does not exist"),
    ],
)
def test_what_is_not_there_is_found_before_any_node(block, says, taught, recorder):
    with pytest.raises(ValueError, match=says):
        run_local(Recipe.model_validate(taught.model_dump() | block), recorder)
    assert recorder.node_ids == []
