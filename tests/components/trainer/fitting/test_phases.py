"""The two phases: the better one is kept, and a loss that is no number ends the run."""

import errno
import os
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from components import progress
from components.trainer.fitting import phases
from components.trainer.fitting.losses import make_loss
from components.trainer.fitting.phases import run_phases
from components.trainer.inputs.phase_inputs import PhaseInput
from components.trainer.network.classifier import (
    BackboneLayer,
    count_parameters,
    tail_from,
)
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.settings.trainer import (
    PhaseSettings,
    TrainingSettings,
    UnfrozenPhaseSettings,
)
from components.trainer.targets.class_weights import class_weights
from components.trainer.targets.distillation import DistillationLoss, as_targets

pytestmark = pytest.mark.slow

COUNT, BATCH = 48, 16


def bars(seed=0, count=COUNT, batch=BATCH):
    """Batches of noisy pictures with an upright bar, a level bar, or none."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    pixels = rng.uniform(-1, -0.6, (count, 32, 32, 3)).astype(np.float32)
    pixels[labels == 0, :, 12:18] += 1.5
    pixels[labels == 1, 12:18] += 1.5
    return tf.data.Dataset.from_tensor_slices((pixels, labels.astype(np.int64))).batch(batch)


def small(channels=4):
    """A network that is built at once. It learns bars; nothing else depends on what it learns."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((32, 32, 3))
    network = keras.Model(pixels, keras.layers.Conv2D(channels, 16, strides=16)(pixels))
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(BackboneLayer(network, name="backbone")(inputs))
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def train(model, tmp_path, frozen, unfrozen, training=None):
    settings = TrainingSettings(batch_size=BATCH, frozen=frozen, unfrozen=unfrozen)
    batches = (training or bars()).repeat()
    phase_input = PhaseInput(model, lambda first: batches, bars(1))
    inputs = dict.fromkeys(settings.phases, phase_input)
    results, kept = run_phases(model, inputs, settings, COUNT, str(tmp_path), tmp_path)
    return model, results, kept


@pytest.fixture(scope="module")
def ruined(tmp_path_factory):
    """A good frozen phase followed by an unfrozen one that learns wrong labels."""
    model, folder, steps = small(16), tmp_path_factory.mktemp("ruined"), []
    settings = TrainingSettings(
        batch_size=BATCH,
        frozen=PhaseSettings(epochs=5, learning_rate=0.1),
        unfrozen=UnfrozenPhaseSettings(
            epochs=2, optimizer="sgd", learning_rate=1.0, schedule="cosine", fine_tune_at=1
        ),
    )
    wrong = bars().map(lambda pixels, labels: (pixels, (labels + 1) % 3))
    inputs = {
        name: PhaseInput(model, lambda _, batches=batches: batches.repeat(), bars(1))
        for name, batches in (("frozen", bars()), ("unfrozen", wrong))
    }
    with progress.watched_by(steps.append):
        results, kept = run_phases(model, inputs, settings, COUNT, str(folder), folder)
    return model, results, kept, steps


def test_fine_tuning_that_makes_it_worse_is_undone(ruined):
    model, (frozen, unfrozen), kept, _ = ruined
    assert frozen.val_accuracy > 0.9 > unfrozen.val_accuracy
    assert kept is frozen
    ((pixels, labels),) = bars(1, batch=COUNT)
    accuracy = np.mean(np.argmax(model(pixels, training=False), axis=1) == labels)
    assert accuracy == pytest.approx(frozen.val_accuracy)


def test_results_tell_what_learned_and_how_it_went(ruined):
    _, results, kept, _ = ruined
    assert [r.name for r in results] == ["frozen", "unfrozen"]
    assert results[0].parameters.trainable == 16 * 3 + 3
    assert results[1].parameters.trainable > results[0].parameters.trainable
    names = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    for result in results:
        assert set(result.history) == names
        assert result.val_accuracy == max(result.history["val_accuracy"])
    assert results[0].history["learning_rate"] == pytest.approx([0.1] * 5)
    assert results[1].history["learning_rate"] == pytest.approx([0.5, 0.0])
    assert kept.name == "frozen"


def test_every_batch_of_every_epoch_is_reported(ruined):
    *_, steps = ruined
    assert [(s.done, s.total) for s in steps] == [(i, 3) for i in (1, 2, 3)] * (5 + 2)
    assert steps[0].task == "frozen, epoch 1 of 5" and steps[-1].task == "unfrozen, epoch 2 of 2"
    assert steps[0].detail.startswith("loss ")


def test_a_loss_that_is_no_number_names_the_rate_to_lower(tmp_path):
    broken = bars().map(lambda x, y: (x * float("nan"), y))
    with pytest.raises(ValueError, match=r"training\.frozen: the loss is nan .*learning_rate"):
        train(small(), tmp_path, PhaseSettings(epochs=1), UnfrozenPhaseSettings(epochs=0), broken)


def test_a_phase_of_no_epochs_is_left_out_and_patience_ends_one_early(tmp_path):
    frozen = PhaseSettings(
        epochs=30, optimizer="sgd", learning_rate=1e-9, early_stopping={"patience": 1}
    )
    begun = time.monotonic()
    _, (only,), kept = train(small(), tmp_path, frozen, UnfrozenPhaseSettings(epochs=0))
    assert kept is only and only.name == "frozen"
    assert 0 < only.seconds <= time.monotonic() - begun
    assert len(only.history["loss"]) < 30
    assert list(tmp_path.joinpath("frozen").rglob("events*")), "TensorBoard has its log"


def toy():
    """A classifier on two numbers, whose backbone stretches them: two kernels, two biases."""
    keras.utils.set_random_seed(0)
    numbers = keras.Input((2,))
    network = keras.Model(numbers, keras.layers.Dense(2, kernel_initializer="identity")(numbers))
    inputs = keras.Input((2,))
    logits = keras.layers.Dense(1, kernel_initializer="ones")
    return keras.Model(inputs, logits(BackboneLayer(network, name="backbone")(inputs)))


def clouds(seed):
    """Two clouds that overlap, 200 points of class 0 and 20 of class 1, in one batch."""
    labels = np.repeat([0, 1], [200, 20])
    points = np.random.default_rng(seed).normal(size=(220, 2)) + labels[:, None]
    return points.astype(np.float32), labels.astype(np.int64)


def train_toy(folder, phase, class_weights=None, judging_weights=None, **training):
    model = toy()
    settings = TrainingSettings(
        batch_size=220, frozen={"epochs": 0}, unfrozen={"fine_tune_at": "all", **phase}, **training
    )
    train, validation = (tf.data.Dataset.from_tensors(clouds(seed)) for seed in (0, 1))
    inputs = {"unfrozen": PhaseInput(model, lambda first: train.repeat(), validation)}
    (result,), _ = run_phases(
        model, inputs, settings, 220, str(folder), folder, class_weights, judging_weights
    )
    return model, result


def test_class_weights_find_more_of_a_rare_class_and_leave_validation_unweighted(tmp_path):
    points, labels = clouds(1)
    auto = class_weights(TrainingSettings(class_weights="auto"), {"many": 200, "rare": 20})
    recall = {}
    for name, weight in (("none", None), ("auto", auto)):
        folder = tmp_path / name
        folder.mkdir()
        model, result = train_toy(folder, {"epochs": 20, "learning_rate": 0.05}, weight, weight)
        logits = np.asarray(model(points))[:, 0]
        recall[name] = np.mean(logits[labels == 1] > 0)
        cross_entropy = np.mean(np.logaddexp(0, logits) - labels * logits)
        assert result.val_loss == pytest.approx(cross_entropy, rel=1e-4)
    assert recall["auto"] > recall["none"] + 0.2


def test_epochs_are_judged_by_weights_of_their_own(tmp_path):
    (points, labels), judging = clouds(1), np.array([1.0, 30.0])
    model, result = train_toy(tmp_path, {"epochs": 1}, np.array([3.0, 1.0]), judging)
    right = (np.asarray(model(points))[:, 0] > 0) == labels
    expected = np.average(right, weights=judging[labels])
    assert result.history["val_weighted_accuracy"] == [pytest.approx(expected)]
    assert result.rank[0] == pytest.approx(expected) != result.val_accuracy


def test_a_phase_of_a_list_is_named_as_the_recipe_has_it(tmp_path):
    settings = TrainingSettings(batch_size=220, phases=[{"name": "only", "epochs": 1}])
    points, labels = clouds(0)
    broken = tf.data.Dataset.from_tensors((points * np.nan, labels))
    inputs = {"only": PhaseInput(toy(), lambda first: broken.repeat(), broken)}
    key = r"training\.phases\.only"
    with pytest.raises(ValueError, match=rf"{key}: the loss is nan .* Lower {key}\.learning_rate"):
        run_phases(inputs["only"].model, inputs, settings, 220, str(tmp_path), tmp_path)


def test_the_backbone_goes_at_its_share_of_the_rate(tmp_path):
    moved = {}
    for multiplier in (1.0, 0.25):
        folder = tmp_path / str(multiplier)
        folder.mkdir()
        phase = {"epochs": 1, "optimizer": "sgd", "backbone_multiplier": multiplier}
        model, _ = train_toy(folder, {**phase, "learning_rate": 0.1})
        pairs = zip(model.get_weights(), toy().get_weights(), strict=True)
        moved[multiplier] = [now - before for now, before in pairs]
    for share, slow, fast in zip((0.25, 0.25, 1, 1), moved[0.25], moved[1.0], strict=True):
        assert np.abs(slow).max() > 0
        np.testing.assert_allclose(slow, share * fast, rtol=1e-4, atol=1e-7)


def test_the_loss_of_the_settings_is_what_is_minimised(tmp_path):
    points, labels = clouds(0)
    model = toy()
    logits = model(points)
    settings = {"label_smoothing": 0.2, "focal_gamma": 2.0}
    _, result = train_toy(tmp_path, {"epochs": 1, "learning_rate": 1e-9}, **settings)
    expected = float(make_loss(TrainingSettings(**settings), 1)(labels, logits))
    assert result.history["loss"] == [pytest.approx(expected, rel=1e-4)]


def test_the_last_pictures_of_an_epoch_are_a_batch_too(tmp_path):
    settings = TrainingSettings(
        batch_size=BATCH, frozen=PhaseSettings(epochs=1), unfrozen=UnfrozenPhaseSettings(epochs=0)
    )
    count = 2 * BATCH + 1
    inputs = {"frozen": PhaseInput(small(), lambda first: bars(count=count).repeat(), bars(1))}
    steps = []
    with progress.watched_by(steps.append):
        run_phases(inputs["frozen"].model, inputs, settings, count, str(tmp_path), tmp_path)
    assert [(step.done, step.total) for step in steps] == [(1, 3), (2, 3), (3, 3)]


def test_parameters_are_those_of_the_whole_network_where_its_rest_is_trained(tmp_path):
    model = small()
    rest = tail_from(model, model.layers[-2].output)
    features = np.zeros((COUNT, 4), np.float32), np.arange(COUNT) % 3
    batches = tf.data.Dataset.from_tensor_slices(features).batch(BATCH)
    settings = TrainingSettings(
        frozen=PhaseSettings(epochs=1), unfrozen=UnfrozenPhaseSettings(epochs=0)
    )
    inputs = {"frozen": PhaseInput(rest, lambda first: batches.repeat(), batches)}
    (result,), _ = run_phases(model, inputs, settings, COUNT, str(tmp_path), tmp_path)
    assert result.parameters == count_parameters(model) != count_parameters(rest)


def test_what_was_interrupted_goes_on_with_the_pictures_of_the_next_epoch(tmp_path):
    asked = []

    def training(first_epoch):
        asked.append(first_epoch)
        return bars().repeat()

    for epochs in (1, 3):  # as if the first had been killed after one of three
        model = small()
        settings = TrainingSettings(
            frozen=PhaseSettings(epochs=epochs), unfrozen=UnfrozenPhaseSettings(epochs=0)
        )
        inputs = {"frozen": PhaseInput(model, training, bars(1))}
        (result,), _ = run_phases(model, inputs, settings, COUNT, str(tmp_path), tmp_path)
        assert len(result.history["val_loss"]) == epochs
    assert asked == [0, 1]


def test_a_teacher_and_class_weights_go_together():
    model, weights = small(), np.array([1.0, 2.0, 4.0])
    teacher = DistillationSettings(teacher="a folder")
    phases.compile_for_phase(model, PhaseSettings(), 1, TrainingSettings(), teacher, weights)
    assert isinstance(model.loss, DistillationLoss)
    pixels, labels = next(bars(batch=COUNT).as_numpy_iterator())
    targets = as_targets(labels, np.log(np.full((COUNT, 3), 1 / 3, np.float32)))
    found = model.evaluate(pixels, targets, verbose=0, return_dict=True)
    right = model(pixels).numpy().argmax(axis=1) == labels
    assert found["accuracy"] == pytest.approx(right.mean())
    expected = np.average(right, weights=weights[labels])
    assert found["weighted_accuracy"] == pytest.approx(expected) and 0 < expected < 1


def test_a_batch_too_large_for_the_device_names_one_to_try(tmp_path, monkeypatch):
    def out_of_memory(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(keras.Model, "fit", out_of_memory)
    with pytest.raises(ValueError, match=r"training\.frozen\.batch_size: 16 .* try 8"):
        train(small(), tmp_path, PhaseSettings(epochs=1), UnfrozenPhaseSettings(epochs=0))


def test_a_batch_of_one_picture_cannot_be_halved(tmp_path, monkeypatch):
    def out_of_memory(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(keras.Model, "fit", out_of_memory)
    settings = TrainingSettings(phases=[{"name": "only", "batch_size": 1}])
    inputs = {"only": PhaseInput(toy(), lambda first: bars(), None)}
    with pytest.raises(ValueError, match=r"training\.phases\.only\.batch_size: 1 .* try 1$"):
        run_phases(inputs["only"].model, inputs, settings, 220, str(tmp_path), tmp_path)


def test_a_full_disk_is_not_taken_for_a_full_device(tmp_path, monkeypatch):
    def no_space(*_, **__):
        text = f"events.v2; {os.strerror(errno.ENOSPC)}"
        raise tf.errors.ResourceExhaustedError(None, None, text)

    monkeypatch.setattr(keras.Model, "fit", no_space)
    with pytest.raises(tf.errors.ResourceExhaustedError, match=r"events\.v2"):
        train(small(), tmp_path, PhaseSettings(epochs=1), UnfrozenPhaseSettings(epochs=0))


def test_of_equal_phases_the_later_is_kept(tmp_path, monkeypatch):
    def fit(name, key, phase_input, phase, steps, checkpoint, *_):
        model = phase_input.model
        model.set_weights([np.full_like(w, len(name)) for w in model.get_weights()])
        checkpoint.history = {"val_accuracy": [0.5], "val_loss": [1.0]}
        checkpoint.best_epoch = 0

    monkeypatch.setattr(phases, "_fit", fit)
    model = toy()
    settings = TrainingSettings(phases=[{"name": "one"}, {"name": "other"}])
    inputs = dict.fromkeys(("one", "other"), PhaseInput(model, None, None))
    _, kept = run_phases(model, inputs, settings, 220, str(tmp_path), tmp_path)
    assert kept.name == "other"
    assert all((weight == len("other")).all() for weight in model.get_weights())
