"""`run_fn` as the Trainer calls it, and what a SIGKILL does to it."""

import errno
import json
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf

from components import progress
from components.errors import UserError
from components.predictions import VALIDATION_FILE, read_predictions
from components.trainer import run_fn as entry_point
from components.trainer.calibration import Calibration
from components.trainer.export import export_bytes
from components.trainer.fitting.resume import discard_published
from components.trainer.network.classifier import build_classifier
from components.trainer.run_fn import run_fn
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.settings.pseudo_labels import PseudoLabelSettings
from components.trainer.settings.serving import ServingSettings
from components.trainer.settings.trainer import (
    BackboneSettings,
    PhaseSettings,
    TrainerSettings,
    TrainingSettings,
    UnfrozenPhaseSettings,
)
from components.trainer.targets.pseudo_labels import PseudoLabels
from components.trainer.training_report import (
    ParameterCount,
    PhaseResult,
    PseudoLabelCounts,
    TrainingReport,
)

# What is tested happens around the network, whatever that is.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tiny_network")]

SETTINGS = TrainerSettings(
    backbone=BackboneSettings(alpha=0.35, image_size=32),
    training=TrainingSettings(
        batch_size=16,
        frozen=PhaseSettings(epochs=3, learning_rate=0.02),
        unfrozen=UnfrozenPhaseSettings(epochs=3, learning_rate=1e-4, fine_tune_at=2),
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


def phases(folder: Path) -> list[PhaseResult]:
    return TrainingReport.read(folder / "run").phases


@pytest.fixture(scope="module")
def whole(analyzed, tiny_network, tmp_path_factory) -> Path:
    """The folder of a training that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    run_fn(SimpleNamespace(**arguments(analyzed, folder)))
    return folder


def test_it_exports_a_model_and_keeps_its_checkpoints_until_that_is_published(whole):
    assert (whole / "model" / "saved_model.pb").is_file()
    assert (whole / "run" / "views.jpg").is_file()
    assert [phase.name for phase in phases(whole)] == ["frozen", "unfrozen"]
    (state,) = whole.glob(".state-*")
    left = {path.name for path in state.iterdir()}
    assert left == {"frozen.npz", "unfrozen.npz", "lock", "exported"}, "activations are large"


def test_the_export_takes_no_more_disk_than_was_asked_for(whole):
    used = sum(path.stat().st_size for path in (whole / "model").rglob("*") if path.is_file())
    settings = SETTINGS.backbone
    model = build_classifier(settings, SETTINGS.head, num_classes=3, steps=1)
    assert used < export_bytes(model) < used + (64 << 20)


@pytest.fixture
def killed(forked, tiny_network, tmp_path):
    """`killed(fn_args, where)` trains in a process that kills itself; gives the tasks it told."""

    def killed(fn_args: dict, where: str) -> list[str]:
        call = ["-c", KILLED, json.dumps(fn_args), str(tiny_network), where]
        ended = forked.run(call, tmp_path)
        assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]
        return ended.stdout.splitlines()

    return killed


KILLED = """
import json, os, runpy, signal, sys, types
import tensorflow as tf
from components import progress
from components.trainer.run_fn import run_fn

def end():
    os.kill(os.getpid(), signal.SIGKILL)

def kill_at(step):
    print(step.task, flush=True)
    # The second batch of an epoch: the epoch before it has been saved.
    if step.task.startswith(sys.argv[3]) and step.done == 2:
        end()

def half(module, path, **_):
    os.makedirs(os.path.join(path, "variables"))
    with open(os.path.join(path, "variables", "variables.data-00000-of-00001"), "wb") as file:
        file.write(b"half")
        file.flush()
        end()

tf.saved_model.save = half
runpy.run_path(sys.argv[2])["install"]()
with progress.watched_by(kill_at):
    run_fn(types.SimpleNamespace(**json.loads(sys.argv[1])))
"""


def test_kills_in_each_phase_and_in_the_export_and_a_full_disk_cost_no_epoch(
    whole, analyzed, killed, tmp_path, monkeypatch
):
    fn_args = arguments(analyzed, tmp_path)
    killed(fn_args, "frozen, epoch 3")
    (state,) = tmp_path.glob(".state-*")
    tasks = killed(fn_args, "unfrozen, epoch 2")
    assert tasks[0].startswith("frozen, epoch 3"), "no encoding and no epoch is done twice"
    assert not (tmp_path / "model" / "saved_model.pb").exists()

    tasks = killed(fn_args, "never")
    assert tasks[0].startswith("unfrozen, epoch 2"), "no encoding and no epoch is done twice"
    assert (tmp_path / "model" / "variables").exists(), "it was killed while exporting"
    assert not (tmp_path / "model" / "saved_model.pb").exists()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    tasks = []
    with progress.watched_by(lambda step: tasks.append(step.task)):
        with monkeypatch.context() as patch, pytest.raises(OSError):
            patch.setattr(tf.saved_model, "save", full)
            run_fn(SimpleNamespace(**fn_args))
        for key, name in (("model_run_dir", "run2"), ("serving_model_dir", "model2")):
            fn_args[key] = str(tmp_path / name)
            (tmp_path / name).mkdir()
        run_fn(SimpleNamespace(**fn_args))
    assert set(tasks) == {"validating"}, "no encoding and no epoch is done twice"
    assert not (state / "activations").exists()
    report = TrainingReport.read(tmp_path / "run2")
    assert [p.history for p in report.phases] == [p.history for p in phases(whole)]
    variables = "variables/variables.data-00000-of-00001"
    exported = (tmp_path / "model2" / variables).read_bytes()
    assert exported == (whole / "model" / variables).read_bytes()
    discard_published(str(tmp_path / "run2"))
    assert not list(tmp_path.glob(".state-*"))


def test_a_disk_without_space_for_the_export_is_found_before_training(
    analyzed, tmp_path, monkeypatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10_000_000))
    tasks = []
    with (
        progress.watched_by(lambda step: tasks.append(step.task)),
        pytest.raises(UserError, match=r"the trained model takes \d+ MB, but .* only 10 MB free"),
    ):
        run_fn(SimpleNamespace(**arguments(analyzed, tmp_path)))
    assert tasks == []


TAUGHT = SETTINGS.model_copy(
    update={
        "training": TrainingSettings(
            batch_size=16,
            phases=[
                {"name": "head", "epochs": 1, "learning_rate": 0.01},
                {"name": "top", "epochs": 1, "learning_rate": 1e-4, "fine_tune_at": 2},
                {"name": "deeper", "epochs": 2, "learning_rate": 1e-4, "fine_tune_at": 1},
            ],
            class_weights={"disc": 2.0},
        )
    }
)


def taught(teacher: Path, **changes) -> TrainerSettings:
    distillation = DistillationSettings(teacher=str(teacher))
    return TAUGHT.model_copy(update={"distillation": distillation, **changes})


@pytest.fixture
def not_exported(monkeypatch):
    """What was trained is not saved: that takes as long as a phase."""
    monkeypatch.setattr(entry_point, "_export", lambda *_: Calibration())


def test_three_phases_and_a_teacher_survive_a_kill_in_the_third(
    whole, analyzed, killed, not_exported, tmp_path
):
    settings = taught(whole / "model")
    fn_args = arguments(analyzed, tmp_path / "undisturbed", settings)
    run_fn(SimpleNamespace(**fn_args))
    undisturbed = phases(tmp_path / "undisturbed")
    assert [phase.name for phase in undisturbed] == ["head", "top", "deeper"]

    fn_args = arguments(analyzed, tmp_path / "killed", settings)
    killed(fn_args, "deeper, epoch 2")
    tasks = []
    with progress.watched_by(lambda step: tasks.append(step.task)):
        run_fn(SimpleNamespace(**fn_args))
    assert tasks[0] == "deeper, epoch 2 of 2", "nobody is asked and nothing encoded twice"
    for ours, theirs in zip(phases(tmp_path / "killed"), undisturbed, strict=True):
        assert ours.history == theirs.history


@pytest.mark.parametrize("views", [2, None])
def test_a_teacher_changes_the_training_loss_and_not_how_validation_is_judged(
    views, whole, analyzed, not_exported, tmp_path
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
        histories[name] = phases(tmp_path / name)[0].history
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


def test_pseudo_labels_are_a_second_training_and_the_better_one_is_kept(
    whole, analyzed, not_exported, tmp_path
):
    encoded = []

    def count(step):
        if step.task.startswith("encoding") and step.done == step.total:
            encoded.append((step.task, step.total))

    with progress.watched_by(count):
        run_fn(SimpleNamespace(**with_unlabelled(analyzed, tmp_path, threshold=0.35)))
    report = TrainingReport.read(tmp_path / "run")
    again = ["frozen with pseudo-labels", "unfrozen with pseudo-labels"]
    assert [phase.name for phase in report.phases] == ["frozen", "unfrozen", *again]
    for ours, theirs in zip(report.phases, phases(whole), strict=False):
        assert ours.history == theirs.history, "the first training is as without"
    assert report.kept_phase.rank == max(phase.rank for phase in report.phases)
    labels = report.pseudo_labels
    assert labels.unlabelled == 48 and 24 < labels.total <= 48
    assert encoded == [
        ("encoding, train", 2 * 48),
        ("encoding, validation", 48),
        ("encoding, pseudo-labels", 2 * labels.total),
    ]
    assert not list(tmp_path.rglob("activations"))


@pytest.mark.parametrize(("second", "kept"), [(0.9, "second"), (0.7, "first"), (0.8, "first")])
def test_the_second_training_is_kept_where_it_is_better(second, kept, tmp_path, monkeypatch):
    def phase(accuracy):
        history = {"val_accuracy": [accuracy], "val_loss": [1.0]}
        return PhaseResult("only", ParameterCount(1, 1, 1), history, 0, 1.0)

    trainings = [
        entry_point._Trained(name, [result], result)
        for name, result in (("first", phase(0.8)), ("second", phase(second)))
    ]
    given = []

    def train(inputs, *others):
        given.append(others)
        return trainings[len(given) - 1]

    labels = PseudoLabels("taken.gz", PseudoLabelCounts(3, {"a": 2, "b": 0}))
    asked = []
    monkeypatch.setattr(entry_point, "_train", train)
    monkeypatch.setattr(entry_point, "_in_float32", lambda model, *_: f"{model} as served")
    monkeypatch.setattr(
        entry_point.pseudo_labels, "label_pictures", lambda model, *_: asked.append(model) or labels
    )
    settings = TrainerSettings(pseudo_labels=PseudoLabelSettings(source="x"))
    inputs = SimpleNamespace(
        settings=settings,
        reader=None,
        unlabelled_files=[],
        classes=[],
        precision="bf16",
    )
    fn_args = SimpleNamespace(model_run_dir="run", serving_model_dir="model")
    trained, report = entry_point._train_rounds(inputs, fn_args, tmp_path)
    again, kept_once = tmp_path / "pseudo-labels", tmp_path / "activations"
    assert given == [
        (None, tmp_path, kept_once, "run", "model"),
        (labels, again, kept_once, "run/pseudo-labels", "model"),
    ]
    assert again.is_dir() and kept_once.is_dir() and report.precision == "bf16"
    assert trained.model == kept and asked == ["first as served"]
    assert [phase.name for phase in report.phases] == ["only", "only with pseudo-labels"]
    assert report.kept == {"first": "only", "second": "only with pseudo-labels"}[kept]
    assert report.pseudo_labels == labels.counts


def test_without_a_sure_answer_the_model_stays_as_the_labels_made_it(
    whole, analyzed, not_exported, tmp_path, caplog
):
    run_fn(SimpleNamespace(**with_unlabelled(analyzed, tmp_path, threshold=0.9999999)))
    assert [p.history for p in phases(tmp_path)] == [p.history for p in phases(whole)]
    assert "no unlabelled picture reaches it" in caplog.text


def test_training_and_validation_read_their_own_files(uneven, analyzed, tmp_path):
    training = TrainingSettings(
        batch_size=17,
        phases=[{"name": "head", "epochs": 1, "optimizer": "sgd", "learning_rate": 1e-9}],
    )
    serving = ServingSettings(calibrate=True, abstain={"accuracy": 0.9}, label_set=0.5)
    settings = SETTINGS.model_copy(update={"training": training, "views": 1, "serving": serving})
    fn_args = arguments(analyzed, tmp_path, settings)
    fn_args.update(train_files=[uneven.train], eval_files=[uneven.validation])
    run_fn(SimpleNamespace(**fn_args))
    (head,) = phases(tmp_path)
    # Shares of 17 and of 6 pictures.
    for name, count in (("accuracy", 17), ("val_accuracy", 6)):
        right = head.history[name][0] * count
        assert right == pytest.approx(round(right), abs=1e-3), name
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    signature = loaded.signatures["from_examples"]
    assert head.history["val_accuracy"][0] == validation_accuracy(signature, uneven)
    # The rows of the validation split, and what was learnt from them, go with the model.
    rows = read_predictions(tmp_path / "evidence", VALIDATION_FILE)
    right = rows.candidate.argmax(axis=1) == rows.labels
    assert right.mean() == pytest.approx(head.history["val_accuracy"][0])
    learnt = json.loads((tmp_path / "evidence" / "calibration.json").read_text())
    assert learnt["pictures"] == 6 and learnt["temperature"] > 0
    assert TrainingReport.read(tmp_path / "run").temperature == learnt["temperature"]
    assert learnt["abstention"]["sure_above"] is None, "6 pictures prove no accuracy of 0.9"
    (record,) = tf.data.TFRecordDataset(uneven.validation, "GZIP").take(1).as_numpy_iterator()
    answers = signature(tf.constant([record]))
    assert answers["unsure"].numpy().all() and answers["in_label_set"].shape == [1, 3]
    served, candidate = answers["probabilities"].numpy(), rows.candidate
    assert abs(candidate - served).max(axis=1).min() < 1e-5, "one of them is this picture's"


def validation_accuracy(signature, uneven) -> float:
    records = list(tf.data.TFRecordDataset(uneven.validation, "GZIP").as_numpy_iterator())
    labels = [
        tf.train.Example.FromString(record).features.feature["label"].bytes_list.value[0]
        for record in records
    ]
    given = signature(tf.constant(records))["label"].numpy()
    return pytest.approx(sum(one == other for one, other in zip(given, labels, strict=True)) / 6)
