"""What a training starts from: which files, which classes count how much, which initial answer."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.errors import UserError
from components.trainer import training_setup
from components.trainer.fitting import precision
from components.trainer.settings.trainer import TrainerSettings
from components.trainer.targets.pseudo_labels import PseudoLabels
from components.trainer.training_report import PseudoLabelCounts
from components.trainer.training_setup import open_inputs, set_up_training

COUNTS = {"bar": 9, "disc": 3, "frame": 5}


def settings(weights="glyphs", **training):
    backbone = {"alpha": 0.35, "image_size": 32, "weights": weights}
    return TrainerSettings(backbone=backbone, training={"batch_size": 4, **training})


@pytest.fixture
def built(monkeypatch):
    """What `build_classifier` was called with, in place of a network."""
    calls = []
    monkeypatch.setattr(training_setup, "build_classifier", lambda *args: calls.append(args))
    return calls


def set_up(uneven, analyzed, state, **training):
    inputs = open_inputs(settings(**training), analyzed.folder, [uneven.train], uneven.validation)
    return inputs, set_up_training(inputs, state)


def test_training_and_validation_have_their_own_files(uneven, analyzed, built, tmp_path):
    inputs, setup = set_up(uneven, analyzed, tmp_path)
    assert (inputs.labelled_files, inputs.validation_files) == ([uneven.train], [uneven.validation])
    assert setup.splits.train_files == [uneven.train]
    assert setup.splits.validation_files == [uneven.validation]
    assert (setup.splits.train_count, setup.splits.validation_count) == (17, 6)
    assert setup.splits.train_targets is None and setup.class_weights is None


def test_files_are_sorted_and_the_unlabelled_ones_apart(uneven, analyzed, tmp_path):
    for name in ("train", "unlabelled"):
        for part in "ba":
            path = tmp_path / f"Split-{name}" / f"{part}.gz"
            path.parent.mkdir(exist_ok=True)
            shutil.copy(uneven.train, path)
    patterns = [
        f"{tmp_path}/Split-{name}/{part}*" for name in ("unlabelled", "train") for part in "ba"
    ]
    inputs = open_inputs(settings(), analyzed.folder, patterns)
    assert [Path(file).name for file in inputs.labelled_files] == ["a.gz", "b.gz"]
    assert all("Split-train" in file for file in inputs.labelled_files)
    assert all("Split-unlabelled" in file for file in inputs.unlabelled_files)
    assert len(inputs.unlabelled_files) == 2 and inputs.validation_files == []


@pytest.mark.parametrize(
    ("class_weights", "priors"),
    [
        ("none", COUNTS),
        ({"disc": 3.0}, {**COUNTS, "disc": 9}),
        ("auto", dict.fromkeys(COUNTS, 17 / 3)),
    ],
)
def test_the_initial_answer_is_what_the_loss_sees_of_each_class(
    class_weights, priors, uneven, analyzed, built, tmp_path
):
    inputs, setup = set_up(uneven, analyzed, tmp_path, class_weights=class_weights)
    assert sorted(inputs.classes) == sorted(COUNTS)
    ((*_, num_classes, _, given),) = built
    assert num_classes == 3
    assert dict(zip(inputs.classes, given, strict=True)) == pytest.approx(priors)
    if class_weights != "none":
        weights = dict(zip(inputs.classes, setup.class_weights, strict=True))
        assert weights == pytest.approx({n: priors[n] / COUNTS[n] for n in COUNTS})


def test_the_steps_are_those_of_all_phases(uneven, analyzed, built, tmp_path):
    set_up(
        uneven,
        analyzed,
        tmp_path,
        frozen={"epochs": 2, "batch_size": 10},
        unfrozen={"epochs": 3},
    )
    ((*_, steps, _),) = built
    assert steps == 2 * 2 + 3 * 5


def test_a_weight_for_a_class_that_is_not_there_stops_before_the_network(
    uneven, analyzed, built, tmp_path
):
    with pytest.raises(UserError, match=r"no class disk \(did you mean `disc`"):
        set_up(uneven, analyzed, tmp_path, class_weights={"disk": 2.0})
    assert built == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3])
def test_the_seed_fixes_the_initial_weights(seed, uneven, analyzed, tiny_network, tmp_path):
    kernels = []
    for _ in range(2):
        tf.random.uniform([])  # what was drawn before does not matter
        chosen = settings(weights="imagenet").model_copy(update={"seed": seed})
        inputs = open_inputs(chosen, analyzed.folder, uneven.train)
        model = set_up_training(inputs, tmp_path).model
        kernels.append(np.asarray(model.get_layer("logits").kernel))
    np.testing.assert_array_equal(*kernels)


def test_the_precision_is_that_of_the_machine(uneven, analyzed, monkeypatch):
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    for asked, found in (("auto", "bf16"), ("float32", "float32")):
        chosen = settings(precision=asked, device="cpu")
        assert open_inputs(chosen, analyzed.folder, uneven.train).precision == found


def test_the_teacher_is_asked_about_what_is_trained_on(
    uneven, analyzed, built, tmp_path, monkeypatch
):
    asked = []
    monkeypatch.setattr(training_setup, "teacher_targets", lambda *given: asked.append(given) or 5)
    taught = settings().replaced(distillation={"teacher": "x"})
    inputs = open_inputs(taught, analyzed.folder, uneven.train, uneven.validation)
    files = [uneven.train, uneven.validation]
    own = PseudoLabels(files[1], PseudoLabelCounts(6, {"bar": 2, "disc": 3, "frame": 1}))
    setup = set_up_training(inputs, tmp_path, own)
    assert asked == [(taught.distillation, files, inputs.classes, tmp_path)]
    assert setup.splits.train_targets == 5
    assert (setup.splits.train_files, setup.splits.train_count) == (files, 17 + 6)


@pytest.mark.parametrize("own", [None, {"bar": 0, "disc": 30, "frame": 1}])
def test_what_a_model_labelled_changes_the_loss_and_not_the_judgement(
    own, uneven, analyzed, built, tmp_path
):
    inputs = open_inputs(settings(class_weights="auto"), analyzed.folder, [uneven.train])
    labels = PseudoLabels("own.gz", PseudoLabelCounts(40, own)) if own else None
    setup = set_up_training(inputs, tmp_path, labels)
    counts = {name: COUNTS[name] + (own or {}).get(name, 0) for name in inputs.classes}
    total = sum(counts.values())
    assert setup.splits.train_count == total
    assert setup.splits.own_count == total - 17
    assert setup.splits.train_files == [uneven.train, *(["own.gz"] if own else [])]
    assert setup.class_weights == pytest.approx([total / (3 * n) for n in counts.values()])
    judging = [17 / (3 * COUNTS[name]) for name in inputs.classes]
    assert setup.judging_weights == pytest.approx(judging)
