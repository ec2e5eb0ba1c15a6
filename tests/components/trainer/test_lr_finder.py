"""The learning rate range test: on a problem whose answer is known, and on curves made by hand."""

import itertools
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components import progress
from components.classes import write_classes
from components.trainer import lr_finder
from components.trainer.lr_finder import Curve, diverged, range_test, suggest
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.settings.trainer import TrainerSettings
from components.trainer.targets.distillation import DistillationLoss


def toy() -> keras.Model:
    """A straight line through points that lie on one; SGD diverges at rates of 1 and more."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


def points(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    x = np.random.default_rng(0).normal(size=(count, 32, 1)).astype(np.float32)
    return [(batch, 3 * batch + 2) for batch in x]


@pytest.fixture(scope="module")
def tested() -> tuple[keras.Model, list[np.ndarray], Curve]:
    model = toy()
    before = model.get_weights()
    return model, before, range_test(model, lambda: points(100))


def test_the_rate_grows_exponentially_until_the_loss_diverges(tested):
    _, _, curve = tested
    assert len(curve.rates) == len(curve.losses) < lr_finder.STEPS
    assert curve.rates[0] == pytest.approx(lr_finder.LOWEST_RATE)
    ratios = curve.rates[1:] / curve.rates[:-1]
    np.testing.assert_allclose(ratios, ratios[0])
    assert 0.5 < curve.rates[-1] < 10.0, "SGD is unstable on this problem above 1"


def test_the_model_keeps_its_weights(tested):
    model, before, _ = tested
    for weight, earlier in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, earlier)


def test_each_loss_is_that_of_one_batch(tested):
    model, before, curve = tested
    inputs, labels = points(1)[0]
    assert curve.losses[0] == pytest.approx(model.evaluate(inputs, labels, verbose=0), rel=1e-5)
    assert min(curve.losses) < 0.1 < curve.losses[0], "not a mean over all the batches so far"
    weight, bias = before
    alone = [np.mean((x * weight + bias - y) ** 2) for x, y in points(100)]
    np.testing.assert_allclose(curve.untrained, alone[: len(curve.untrained)], rtol=1e-4)


def test_the_suggested_rates_learn(tested):
    model, before, curve = tested
    suggestion = suggest(curve)
    for rate in (suggestion.steepest, suggestion.safe):
        model.set_weights(before)
        model.optimizer.learning_rate = rate
        for _ in range(2):
            model.reset_metrics()
            for batch in points(100):
                loss = model.train_on_batch(*batch)  # the mean of the epoch so far
        assert loss < 0.05 * curve.losses[0], rate
    model.set_weights(before)


def test_a_loss_that_is_not_finite_ends_the_test():
    batches = points(5)
    batches[3] = (batches[3][0] * np.inf, batches[3][1])
    told = []
    with progress.watched_by(told.append):
        assert len(range_test(toy(), lambda: batches).losses) == 3
    assert [(step.task, step.done, step.total) for step in told] == [
        *(("range test, before", number, 100) for number in range(1, 6)),
        *(("range test", number, 100) for number in range(1, 4)),
    ]


def test_a_loss_that_is_never_finite_is_told():
    (x, y) = points(1)[0]
    with pytest.raises(ValueError, match="before the first step"):
        range_test(toy(), lambda: [(x * np.nan, y)])


def valley(noise: float = 0.0) -> Curve:
    """Falls fastest at 1e-4, is lowest near 5e-3, then rises."""
    rates = np.geomspace(1e-6, 1.0, 85)
    at = np.log10(rates)
    expected = 1 - 0.9 / (1 + np.exp(-4 * (at + 4))) + 2 * np.clip(at + 2, 0, None)
    reference_loss = np.exp(noise * np.random.default_rng(0).normal(size=len(at)))
    return Curve(rates, expected * reference_loss, reference_loss)


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_the_steepest_rate_and_a_tenth_of_the_lowest_however_batches_differ(noise):
    suggestion = suggest(valley(noise))
    assert 0.5e-4 < suggestion.steepest < 2e-4
    assert 0.2e-3 < suggestion.safe < 1.2e-3


def test_losses_after_the_divergence_do_not_drown_those_before():
    curve = valley()
    curve.losses[-5:] = 1e6
    assert suggest(curve) == suggest(valley())
    assert 3 < curve.smoothed.max() <= 4, "one counts as four times that of an untrained network"


def test_smoothed_losses_are_losses_still():
    untrained = np.array([1.0, 2.0, 3.0, 2.0])
    curve = Curve(np.geomspace(1e-6, 1e-3, 4), 1.5 * untrained, untrained)
    np.testing.assert_allclose(curve.smoothed, 1.5 * untrained.mean())


def test_no_rate_is_suggested_where_the_loss_never_fell():
    rates = np.geomspace(1e-6, 10, 100)
    losses = 0.7 + 0.02 * np.random.default_rng(0).normal(size=100)
    assert suggest(Curve(rates, losses, np.full(100, 0.7))) is None
    assert suggest(Curve(rates[:1], losses[:1], losses[:1])) is None


def test_the_loss_diverges_at_four_times_its_lowest():
    ones = [1.0] * 100
    assert not diverged([1.0, 0.5, 0.4, 0.5], ones)
    assert not diverged([1.0, *[0.1] * 40, 3.0], ones), "one bad batch is not the end"
    assert diverged([1.0, *[0.1] * 40, *[3.0] * 3], ones)


def test_a_loss_of_zero_is_no_divergence():
    assert not diverged([0.0, 0.0], [1.0, 1.0])


def test_hard_batches_are_no_divergence():
    assert not diverged([*[0.1] * 40, *[3.0] * 10], [*[0.1] * 40, *[3.0] * 10])


def constant_teacher(folder, classes):
    """A SavedModel that gives every picture the same logits."""
    module = tf.Module()
    module.answer = tf.function(
        lambda pictures: {"logits": tf.tile([[3.0, 2.0, 1.0]], [tf.size(pictures), 1])},
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, str(folder), signatures=module.answer)
    write_classes(folder, classes)
    return DistillationSettings(teacher=str(folder))


@pytest.mark.slow
@pytest.mark.parametrize("taught", [False, True])
def test_a_phase_is_tested_as_it_would_be_trained(taught, uneven, analyzed, tmp_path, monkeypatch):
    """Network, losses, weights and targets are those of the training."""
    settings = TrainerSettings(
        backbone={"alpha": 0.35, "image_size": 32, "weights": "glyphs"},
        head={"class_prior_bias": True},
        training={
            "batch_size": 4,
            "class_weights": {"disc": 3.0},
            "phases": [
                {"name": "head", "epochs": 2, "learning_rate": 1e-9, "optimizer": "sgd"},
                {"name": "top", "fine_tune_at": 130, "schedule": "cosine", "warmup_epochs": 1},
                {"name": "never"},
            ],
        },
        distillation=constant_teacher(tmp_path, ["disc", "bar", "frame"]) if taught else None,
        seed=1,
    )
    tested = []

    def range_test(model, batches):
        tested.append((model, list(itertools.islice(batches(), 5)), next(iter(batches()))))
        return "curve"

    monkeypatch.setattr(lr_finder, "range_test", range_test)
    tasks = []
    with progress.watched_by(lambda step: tasks.append(step.task)):
        curve = lr_finder.phase_curve(settings, "top", analyzed.folder, uneven.train)
    assert curve == "curve"
    heads = [task for task in tasks if task.startswith("head")]
    assert heads == ["head first, epoch 1 of 1"] * 5, "one epoch of the phase before"

    ((model, epoch, again),) = tested
    classes = tft.TFTransformOutput(analyzed.folder).vocabulary_by_name("labels")
    # 9 bars, 3 discs that count three times, 5 frames.
    seen = np.log([{b"bar": 9, b"disc": 9, b"frame": 5}[name] for name in classes])
    bias = np.asarray(model.get_layer("logits").bias)
    np.testing.assert_allclose(bias, seen - seen.mean(), atol=1e-5)
    assert isinstance(model.loss, DistillationLoss) == taught
    assert float(model.optimizer.learning_rate) == pytest.approx(3e-4), "no schedule"
    network = model.get_layer("backbone").network
    assert [layer.trainable for layer in network.layers] == [i >= 130 for i in range(154)]

    for one, other in zip(epoch[0], again, strict=True):
        np.testing.assert_array_equal(one, other)
    targets = np.concatenate([batch[1] for batch in epoch])
    labels = (targets[:, 0] if taught else targets).astype(int)
    assert len(labels) == 17
    weights = np.concatenate([batch[2] for batch in epoch])
    expected = [3.0 if classes[label] == b"disc" else 1.0 for label in labels]
    assert weights.tolist() == expected
    if taught:
        logits = [{b"disc": 3.0, b"bar": 2.0, b"frame": 1.0}[name] for name in classes]
        expected = np.tile(tf.nn.log_softmax(logits), (17, 1))
        np.testing.assert_allclose(targets[:, 1:], expected, atol=1e-5)


def test_of_the_phases_before_each_is_trained_for_one_epoch(monkeypatch, placed):
    settings = TrainerSettings(
        training={
            "device": "cpu",
            "batch_size": 4,
            "phases": [
                {"name": "head", "epochs": 9},
                {"name": "top", "fine_tune_at": 5, "batch_size": 3},
                {"name": "all", "fine_tune_at": "all", "batch_size": 2},
            ],
        },
        seed=7,
    )
    done = []

    class Reader:
        def __init__(self, size=0):
            self.size = size

        def with_batch_size(self, size):
            return Reader(size)

        def training_batches(self, files, count, seed, epoch, targets):
            return (self.size, files, count, seed, epoch, targets)

    splits = SimpleNamespace(train_files=["a.gz"], train_count=10, train_targets="targets")
    model = SimpleNamespace(
        fit=lambda batches, **how: done.append((batches, how["steps_per_epoch"]))
    )
    inputs = SimpleNamespace(
        reader=Reader(), labelled_files=["a.gz"], strategy=tf.distribute.get_strategy()
    )
    setup = SimpleNamespace(model=model, splits=splits, class_weights="weights")
    monkeypatch.setattr(lr_finder, "open_inputs", lambda *_: inputs)
    monkeypatch.setattr(lr_finder, "set_up_training", lambda *_: placed == ["cpu"] and setup)
    monkeypatch.setattr(lr_finder, "with_weights", lambda batches, weights: (*batches, weights))
    monkeypatch.setattr(lr_finder, "_compile", lambda setup, phase, _: done.append(phase.epochs))
    monkeypatch.setattr(
        lr_finder, "range_test", lambda model, batches: placed == ["cpu"] and batches()
    )
    shared = (["a.gz"], 10, 7)
    assert lr_finder.phase_curve(settings, "all", "", "") == (2, *shared, 2, "targets", "weights")
    assert done == [
        9,
        ((4, *shared, 0, "targets", "weights"), 3),
        10,
        ((3, *shared, 1, "targets", "weights"), 4),
        10,
    ]


@pytest.mark.parametrize(
    ("phase", "optimizer", "rate"),
    [
        ({"optimizer": "lbfgs"}, "adam", 3e-3),
        ({"schedule": "cosine", "warmup_epochs": 2.0}, "adam", 3e-4),
        ({"optimizer": "sgd", "schedule": "one_cycle", "learning_rate": 0.5}, "sgd", 0.5),
    ],
)
def test_a_phase_is_compiled_with_a_constant_rate(phase, optimizer, rate, monkeypatch):
    compiled = []
    monkeypatch.setattr(lr_finder, "set_learning", lambda model, phase: compiled.append(phase))
    monkeypatch.setattr(lr_finder, "compile_for_phase", lambda *given: compiled.append(given))
    settings = TrainerSettings(training={"phases": [{"name": "only", **phase}]}, views=1)
    setup = SimpleNamespace(model="model")
    lr_finder._compile(setup, settings.training.phases["only"], settings)
    learning, given = compiled
    assert given == ("model", learning, 1, settings.training, None)
    found = learning.optimizer, learning.learning_rate, learning.schedule, learning.warmup_epochs
    assert found == (optimizer, rate, "constant", 0.0)


@pytest.mark.parametrize(("fall", "suggests"), [(0.05, False), (0.15, True)])
def test_a_small_fall_is_a_matter_of_which_pictures_were_in_the_batches(fall, suggests):
    rates = np.geomspace(1e-6, 1.0, 85)
    losses = 1 - fall / (1 + np.exp(-4 * (np.log10(rates) + 4)))
    assert (suggest(Curve(rates, losses, np.ones(85))) is not None) == suggests


def test_a_fall_behind_the_lowest_loss_suggests_nothing():
    curve = valley()
    curve.losses[-12:] = 3.5
    curve.losses[-4:] = 0.8
    assert suggest(curve) == suggest(valley())
