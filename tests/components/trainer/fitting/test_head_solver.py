"""The head solved on kept features: as good as it can be, once, and nothing else is touched."""

import keras
import numpy as np
import pytest

from components import features, progress
from components.trainer import linear_probe
from components.trainer.fitting import head_solver, phases
from components.trainer.fitting.head_solver import solve_head
from components.trainer.fitting.phases import run_phases
from components.trainer.inputs.activation_cache import Cached
from components.trainer.inputs.phase_inputs import PhaseInput
from components.trainer.linear_probe import LinearHead
from components.trainer.network.classifier import BackboneLayer, tail_from
from components.trainer.settings.trainer import TrainingSettings
from components.trainer.targets.class_weights import class_weights

CHANNELS = 6
COUNTS = {"many": 120, "some": 60, "rare": 20}
SETTINGS = TrainingSettings(
    batch_size=50, frozen={"optimizer": "lbfgs"}, unfrozen={"epochs": 0}, class_weights="none"
)
WEIGHTS = class_weights(TrainingSettings(class_weights="auto"), COUNTS)


def clouds(seed: int, counts, views: int = 1, spread: float = 1.0) -> Cached:
    """A cloud of features about a centre per class, whose units differ by factors of ten."""
    labels = np.repeat(np.arange(len(counts)), list(counts))
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(0, 1.5, (len(counts), CHANNELS))
    points = centres[labels] + rng.normal(0, spread, (views, len(labels), CHANNELS))
    units = 10.0 ** np.arange(-2, CHANNELS - 2)
    return Cached((points * units + 3 * units).astype(np.float16), labels)


def kept(counts, views: int = 2, **options) -> dict[str, Cached]:
    return {
        features.TRAIN: clouds(0, counts, views, **options),
        features.VALIDATION: clouds(1, counts, **options),
    }


def classifier(outputs: int) -> keras.Model:
    """A head on a pooled backbone with BatchNorm, as `build_classifier` makes them."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((2, 2, CHANNELS))
    network = keras.Model(pixels, keras.layers.BatchNormalization()(pixels))
    inputs = keras.Input((2, 2, CHANNELS))
    x = BackboneLayer(network, name="backbone")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pooling")(x)
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    return keras.Model(inputs, keras.layers.Dense(outputs, name="logits")(x))


def head_of(model: keras.Model) -> keras.Model:
    pooled = model.get_layer("pooling")(model.get_layer("backbone").network.output)
    return tail_from(model, pooled)


def accuracy(model: keras.Model, cached: Cached) -> np.ndarray:
    """Share of right answers by class, float [classes]."""
    logits = np.asarray(model(cached.activations[0].astype(np.float32), training=False))
    given = logits.argmax(axis=1) if logits.shape[1] > 1 else (logits[:, 0] > 0).astype(int)
    right = given == cached.labels
    return np.array([right[cached.labels == label].mean() for label in np.unique(cached.labels)])


@pytest.mark.parametrize(("counts", "outputs"), [((60, 40), 1), ((60, 40), 2), ((50, 40, 30), 3)])
def test_the_layer_answers_as_the_regression_whatever_the_units(counts, outputs):
    cached, model = kept(counts), head_of(classifier(outputs))
    told = []
    with progress.watched_by(told.append):
        solve_head(model, cached, None, "frozen")
    assert accuracy(model, cached[features.VALIDATION]).mean() > 0.8
    count = len(linear_probe.PATH)
    assert [(step.done, step.total) for step in told] == [(n, count) for n in range(1, count + 1)]
    shown = cached[features.TRAIN].activations.reshape(-1, CHANNELS).astype(np.float32)
    labels = np.tile(cached[features.TRAIN].labels, 2)
    weights = np.full(len(labels), 0.5)
    heads = list(linear_probe.fit_path(shown.copy(), labels, len(counts), weights))
    logits = np.asarray(model(shown, training=False), np.float64)
    if outputs == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    distances = [np.abs(found - head.probabilities(shown)).max() for head in heads]
    assert min(distances) < 1e-4, "the layer is one of the path"


def test_the_penalty_is_chosen_on_validation():
    """Features that say nothing but for one: whoever believes all of them validates worse."""
    rng = np.random.default_rng(0)

    def noise(count):
        labels = np.arange(count) % 2
        points = rng.normal(0, 1, (1, count, 200))
        points[..., 0] += 2 * labels - 1
        return Cached(points.astype(np.float16), labels)

    cached = {features.TRAIN: noise(150), features.VALIDATION: noise(400)}
    inputs = keras.Input((200,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    solve_head(model, cached, None, "frozen")
    chosen = accuracy(model, cached[features.VALIDATION]).mean()
    shown = cached[features.TRAIN].activations[0].astype(np.float32)
    *_, weakest = linear_probe.fit_path(shown, cached[features.TRAIN].labels, 2)
    validation = cached[features.VALIDATION]
    found = weakest.probabilities(validation.activations[0].astype(np.float32)).argmax(axis=1)
    assert chosen > (found == validation.labels).mean() + 0.03


def test_class_weights_find_more_of_a_rare_class():
    cached, found = kept(COUNTS.values(), spread=2.5), {}
    for name in ("none", "auto"):
        model = head_of(classifier(3))
        weights = class_weights(TrainingSettings(class_weights=name), COUNTS)
        solve_head(model, cached, weights, "frozen")
        found[name] = accuracy(model, cached[features.VALIDATION])[-1]
    # The choice of the penalty alone would get to 0.4.
    assert found["auto"] > found["none"] + 0.3


def test_the_penalty_is_chosen_with_the_weights_of_the_training():
    probabilities, labels = np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1])
    expected = -(np.log(0.9) + 3 * np.log(0.4)) / 4
    assert head_solver._loss(probabilities, labels, np.array([1.0, 3.0])) == pytest.approx(expected)


def test_one_logit_is_what_speaks_for_the_second_class_and_not_for_the_first():
    layer = keras.layers.Dense(1)
    layer.build((None, 2))
    head = LinearHead(np.array([[1.0, 3.0], [0.5, -0.5]]), np.array([0.5, 2.0]))
    head_solver._assign(head, layer)
    np.testing.assert_allclose(layer.kernel.numpy(), [[2.0], [-1.0]])
    np.testing.assert_allclose(layer.bias.numpy(), [1.5])


def test_a_head_that_is_certain_of_a_wrong_class_has_a_finite_loss():
    loss = head_solver._loss(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1, 0]), None)
    assert 40 < loss < 50


def run(model, cached, folder):
    def batches(first):
        return cached[features.TRAIN].training_batches(50, 0, first)

    head = head_of(model)
    validation = cached[features.VALIDATION].validation_batches(50)
    inputs = {"frozen": PhaseInput(head, batches, validation, cached)}
    (result,), _ = run_phases(
        model, inputs, SETTINGS, 200, str(folder), folder, WEIGHTS, judging_weights=WEIGHTS
    )
    return result


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A phase that was solved: the classifier, its result, the epochs told, the folder of state."""
    folder, model, epochs = tmp_path_factory.mktemp("solved"), classifier(3), []
    with progress.watched_by(lambda step: None, epochs.append):
        result = run(model, kept(COUNTS.values()), folder)
    return model, result, epochs, folder


def test_a_phase_has_one_entry_is_told_as_an_epoch_and_leaves_the_backbone_alone(finished):
    (model, result, told, _), cached = finished, kept(COUNTS.values())
    before = [w.numpy() for w in classifier(3).get_layer("backbone").weights]
    metrics = ("loss", "accuracy", "weighted_accuracy")
    assert {name: len(values) for name, values in result.history.items()} == dict.fromkeys(
        (*metrics, *(f"val_{name}" for name in metrics)), 1
    )
    (epoch,) = told
    assert (epoch.phase, epoch.number, epoch.of) == ("frozen", 1, 1)
    assert epoch.figures["val_accuracy"] == result.val_accuracy
    head, losses = head_of(model), []
    for activations, labels in cached[features.TRAIN].training_batches(50, 0, 0).take(4):
        loss = keras.losses.sparse_categorical_crossentropy(labels, head(activations), True)
        losses.append(np.mean(WEIGHTS[labels] * np.asarray(loss)))
    assert epoch.figures["loss"] == pytest.approx(np.mean(losses), rel=1e-3)
    by_class = accuracy(head_of(model), cached[features.VALIDATION])
    expected = np.average(by_class, weights=list(COUNTS.values()))
    assert result.best_epoch == 0 and result.val_accuracy == pytest.approx(expected)
    for now, then in zip(model.get_layer("backbone").weights, before, strict=True):
        assert np.array_equal(now.numpy(), then)


def test_a_killed_run_finds_the_head_solved(finished, monkeypatch):
    model, result, _, folder = finished
    again = classifier(3)

    def solve(*_):
        raise AssertionError("it is solved once")

    monkeypatch.setattr(phases, "solve_head", solve)
    resumed = run(again, kept(COUNTS.values()), folder)
    assert resumed.history == result.history
    for now, then in zip(again.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(now, then)
