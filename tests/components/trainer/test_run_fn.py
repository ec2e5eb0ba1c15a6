"""`run_fn` as the Trainer calls it, and what a SIGKILL does to it."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from components import progress
from components.trainer.run_fn import run_fn
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.settings.pseudo_labels import PseudoLabelSettings
from components.trainer.settings.trainer import (
    BackboneSettings,
    PhaseSettings,
    TrainerSettings,
    TrainingSettings,
    UnfrozenPhaseSettings,
)

pytestmark = pytest.mark.slow

SETTINGS = TrainerSettings(
    backbone=BackboneSettings(alpha=0.35, image_size=32, weights="glyphs"),
    training=TrainingSettings(
        batch_size=16,
        frozen=PhaseSettings(epochs=6, learning_rate=0.01),
        unfrozen=UnfrozenPhaseSettings(epochs=6, learning_rate=1e-4, fine_tune_at=130),
    ),
    views=2,
)


def arguments(analyzed, folder: Path, settings=SETTINGS) -> dict:
    for name in ("run", "model"):
        folder.joinpath(name).mkdir(parents=True, exist_ok=True)
    return {
        "custom_config": {"settings": settings.model_dump_json()},
        "transform_output": analyzed.folder,
        "train_files": [analyzed.file],
        "eval_files": [analyzed.file],
        "model_run_dir": str(folder / "run"),
        "serving_model_dir": str(folder / "model"),
    }


def phases(folder: Path) -> list[dict]:
    return json.loads((folder / "run" / "training.json").read_text())["phases"]


@pytest.fixture(scope="module")
def whole(analyzed, tmp_path_factory) -> Path:
    """The folder of a training that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    run_fn(SimpleNamespace(**arguments(analyzed, folder)))
    return folder


def test_it_exports_a_model_and_leaves_no_state_behind(whole):
    assert (whole / "model" / "saved_model.pb").is_file()
    assert [p["name"] for p in phases(whole)] == ["frozen", "unfrozen"]
    assert not list(whole.glob(".state-*"))


KILLED_AT = """
import json, os, signal, sys, types
from components import progress
from components.trainer.run_fn import run_fn

def kill_at(step):
    # The second batch of an epoch: the epoch before it has been saved.
    if step.task.startswith(sys.argv[2]) and step.done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

with progress.watched_by(kill_at):
    run_fn(types.SimpleNamespace(**json.loads(sys.argv[1])))
"""


@pytest.mark.parametrize("task", ["frozen, epoch 4", "unfrozen, epoch 3"])
def test_a_killed_training_goes_on_in_the_phase_and_epoch_where_it_was(
    task, whole, analyzed, tmp_path
):
    fn_args = arguments(analyzed, tmp_path)
    command = [sys.executable, "-c", KILLED_AT, json.dumps(fn_args), task]
    killed = subprocess.run(command, capture_output=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    (state,) = tmp_path.glob(".state-*")
    assert not (tmp_path / "model" / "saved_model.pb").exists()
    tasks = []
    with progress.watched_by(lambda step: tasks.append(step.task)):
        run_fn(SimpleNamespace(**fn_args))
    assert tasks[0].startswith(task), "no encoding and no epoch is done twice"
    assert not state.exists()
    for ours, theirs in zip(phases(tmp_path), phases(whole), strict=True):
        for name, values in theirs["history"].items():
            assert ours["history"][name] == values, name


TAUGHT = SETTINGS.model_copy(
    update={
        "training": TrainingSettings(
            batch_size=16,
            phases=[
                {"name": "head", "epochs": 3, "learning_rate": 0.01},
                {"name": "top", "epochs": 2, "learning_rate": 1e-4, "fine_tune_at": 130},
                {"name": "deeper", "epochs": 4, "learning_rate": 1e-4, "fine_tune_at": 110},
            ],
            class_weights={"disc": 2.0},
        )
    }
)


def taught(teacher: Path, **changes) -> TrainerSettings:
    distillation = DistillationSettings(teacher=str(teacher))
    return TAUGHT.model_copy(update={"distillation": distillation, **changes})


def test_three_phases_and_a_teacher_survive_a_kill_in_the_third(whole, analyzed, tmp_path):
    settings = taught(whole / "model")
    fn_args = arguments(analyzed, tmp_path / "undisturbed", settings)
    run_fn(SimpleNamespace(**fn_args))
    undisturbed = phases(tmp_path / "undisturbed")
    assert [phase["name"] for phase in undisturbed] == ["head", "top", "deeper"]

    fn_args = arguments(analyzed, tmp_path / "killed", settings)
    command = [sys.executable, "-c", KILLED_AT, json.dumps(fn_args), "deeper, epoch 3"]
    killed = subprocess.run(command, capture_output=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    tasks = []
    with progress.watched_by(lambda step: tasks.append(step.task)):
        run_fn(SimpleNamespace(**fn_args))
    assert tasks[0] == "deeper, epoch 3 of 4", "nobody is asked and nothing encoded twice"
    for ours, theirs in zip(phases(tmp_path / "killed"), undisturbed, strict=True):
        assert ours["history"] == theirs["history"]


@pytest.mark.parametrize("views", [2, None])
def test_a_teacher_changes_the_training_loss_and_not_how_validation_is_judged(
    views, whole, analyzed, tmp_path
):
    still = TrainingSettings(
        batch_size=16,
        phases=[{"name": "head", "epochs": 1, "optimizer": "sgd", "learning_rate": 1e-9}],
    )
    asked, histories = {}, {}
    for name, teacher in (("alone", None), ("taught", DistillationSettings(teacher="x"))):
        if teacher:
            teacher = teacher.model_copy(update={"teacher": str(whole / "model")})
        settings = SETTINGS.model_copy(
            update={"training": still, "views": views, "distillation": teacher}
        )
        steps = []
        with progress.watched_by(steps.append):
            run_fn(SimpleNamespace(**arguments(analyzed, tmp_path / name, settings)))
        asked[name] = [step.done for step in steps if step.task == "asking the teacher"]
        histories[name] = phases(tmp_path / name)[0]["history"]
    assert asked == {"alone": [], "taught": [32, 48]}, "once per picture"
    alone, student = histories["alone"], histories["taught"]
    assert student["val_loss"] == pytest.approx(alone["val_loss"], rel=1e-5)
    assert student["val_accuracy"] == alone["val_accuracy"]
    assert student["accuracy"] == pytest.approx(alone["accuracy"])
    assert abs(student["loss"][0] - alone["loss"][0]) > 0.01


def with_unlabelled(analyzed, folder: Path, threshold: float) -> dict:
    """Arguments in which the labelled pictures without their labels are the unlabelled ones."""
    split = folder / "Split-unlabelled"
    split.mkdir(parents=True)
    shutil.copy(analyzed.file, split)
    labels = PseudoLabelSettings(source="x", threshold=threshold)
    settings = SETTINGS.model_copy(update={"pseudo_labels": labels})
    fn_args = arguments(analyzed, folder, settings)
    fn_args["train_files"].append(str(split / "*"))
    return fn_args


def test_pseudo_labels_are_a_second_training_and_the_better_one_is_kept(whole, analyzed, tmp_path):
    run_fn(SimpleNamespace(**with_unlabelled(analyzed, tmp_path, threshold=0.5)))
    training = json.loads((tmp_path / "run" / "training.json").read_text())
    names = [phase["name"] for phase in training["phases"]]
    again = ["frozen with pseudo-labels", "unfrozen with pseudo-labels"]
    assert names == ["frozen", "unfrozen", *again]
    for ours, theirs in zip(training["phases"][:2], phases(whole), strict=True):
        assert ours["history"] == theirs["history"], "the first training is as without"
    best = max((p["val_accuracy"], -p["val_loss"]) for p in training["phases"])
    (kept,) = (p for p in training["phases"] if p["name"] == training["kept"])
    assert (kept["val_accuracy"], -kept["val_loss"]) == best
    labels = training["pseudo_labels"]
    assert labels["unlabelled"] == 48 and 24 < sum(labels["taken"].values()) <= 48
    assert not list(tmp_path.glob(".state-*"))


def test_without_a_sure_answer_the_model_stays_as_the_labels_made_it(
    whole, analyzed, tmp_path, caplog
):
    run_fn(SimpleNamespace(**with_unlabelled(analyzed, tmp_path, threshold=0.9999999)))
    assert [p["history"] for p in phases(tmp_path)] == [p["history"] for p in phases(whole)]
    assert "no unlabelled picture reaches it" in caplog.text


def test_a_weight_for_a_class_that_is_not_there_stops_before_any_work(analyzed, tmp_path):
    training = SETTINGS.training.model_copy(update={"class_weights": {"disk": 2.0}})
    settings = SETTINGS.model_copy(update={"training": training})
    with pytest.raises(ValueError, match="no class disk; there is disc"):
        run_fn(SimpleNamespace(**arguments(analyzed, tmp_path, settings)))


def test_the_head_begins_at_what_the_loss_sees_of_each_class(analyzed, tmp_path, monkeypatch):
    class BuiltError(Exception):
        pass

    def capture(backbone, head, num_classes, steps, priors):
        raise BuiltError(num_classes, steps, sorted(priors))

    monkeypatch.setattr("components.trainer.run_fn.build_classifier", capture)
    training = SETTINGS.training.model_copy(
        update={
            "class_weights": {"disc": 3.0},
            "frozen": PhaseSettings(epochs=2, batch_size=10),
        }
    )
    settings = SETTINGS.model_copy(update={"training": training})
    with pytest.raises(BuiltError) as built:
        run_fn(SimpleNamespace(**arguments(analyzed, tmp_path, settings)))
    # 48 pictures: 2 epochs of 5 steps, then 6 of 3.
    assert built.value.args == (3, 2 * 5 + 6 * 3, [16, 16, 48])
