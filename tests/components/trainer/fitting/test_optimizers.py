"""The backbone's own rate and weight decay, beside Keras' optimizers step by step."""

import keras
import numpy as np
import pytest

from components.trainer.fitting.optimizers import make_optimizer
from components.trainer.settings.trainer import PhaseSettings, UnfrozenPhaseSettings

KERAS = {
    "adam": keras.optimizers.Adam,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}
GRADIENTS = [2.0, -1.0, 0.5]
RATE = 0.1


def variables(*shapes):
    return [keras.Variable(np.full(shape, 1.0, np.float32)) for shape in shapes]


def walk(optimizer, trained, gradients=GRADIENTS):
    """First number of every variable after each step: float32 [steps, variables]."""
    optimizer.build(trained)
    path = []
    for gradient in gradients:
        optimizer.apply([np.full(v.shape, gradient, np.float32) for v in trained])
        path.append([v.numpy().flat[0] for v in trained])
    return np.array(path)


def assert_same_path(ours, theirs):
    """Equal but for rounding, while a step is a tenth and more."""
    np.testing.assert_allclose(ours, theirs, rtol=5e-6)


def of_phase(backbone=(), **settings):
    phase = UnfrozenPhaseSettings(epochs=1, learning_rate=RATE, **settings)
    return make_optimizer(phase, len(GRADIENTS), backbone)


@pytest.mark.parametrize("name", KERAS)
def test_by_default_it_steps_as_keras_optimizer_does(name):
    trained = variables((2, 2), (2,))
    ours = walk(of_phase(trained[:1], optimizer=name), trained)
    assert_same_path(ours, walk(KERAS[name](RATE), variables((2, 2), (2,))))


@pytest.mark.parametrize(
    # Adam's first step is the rate, RMSprop's the rate / sqrt(1 - rho), whatever the gradient.
    ("name", "first_step"),
    [("sgd", 2 * RATE), ("adam", RATE), ("rmsprop", RATE / np.sqrt(0.1))],
)
def test_the_backbone_takes_steps_at_its_share_of_the_rate(name, first_step):
    trained = variables((2, 2), (2, 2))
    path = walk(of_phase(trained[:1], optimizer=name, backbone_multiplier=0.25), trained)
    assert path[0] == pytest.approx([1 - 0.25 * first_step, 1 - first_step], rel=1e-5)
    for column, rate in ((0, 0.25 * RATE), (1, RATE)):
        alone = walk(KERAS[name](rate), variables((2, 2)))
        assert_same_path(path[:, column], alone[:, 0])


def test_a_schedule_is_multiplied_too():
    trained = variables((1, 1), (1, 1))
    optimizer = of_phase(trained[:1], optimizer="sgd", schedule="cosine", backbone_multiplier=0.5)
    path = walk(optimizer, trained, [1.0, 1.0, 1.0])
    # Cosine over three steps: the whole rate, three quarters, a quarter.
    steps = -np.diff(path, axis=0, prepend=1.0)
    np.testing.assert_allclose(steps[:, 1], [0.1, 0.075, 0.025], rtol=1e-5)
    np.testing.assert_allclose(steps[:, 0], steps[:, 1] / 2, rtol=1e-5)


def test_weight_decay_is_that_of_keras_but_spares_biases_and_normalization():
    path = walk(of_phase(optimizer="adam", weight_decay=0.3), variables((2, 2), (2,)))
    theirs = keras.optimizers.AdamW(RATE, weight_decay=0.3)
    assert_same_path(path[:, 0], walk(theirs, variables((2, 2)))[:, 0])
    plain = walk(keras.optimizers.Adam(RATE), variables((2,)))
    assert_same_path(path[:, 1], plain[:, 0])


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
def test_decay_is_a_share_of_the_rate_that_the_variable_has(name):
    trained = variables((2, 2), (2, 2))
    settings = {"weight_decay": 0.5, "backbone_multiplier": 0.2}
    path = walk(of_phase(trained[:1], optimizer=name, **settings), trained, [0.0])
    assert path[0] == pytest.approx([1 - 0.2 * RATE * 0.5, 1 - RATE * 0.5])


def test_adamw_decays_by_itself_and_can_be_told_not_to():
    (decayed,) = walk(of_phase(optimizer="adamw"), variables((1, 1)), [0.0])[0]
    assert decayed == pytest.approx(1 - RATE * 0.004)
    (kept,) = walk(of_phase(optimizer="adamw", weight_decay=0.0), variables((1, 1)), [0.0])[0]
    assert kept == 1.0


def test_it_works_inside_the_loss_scaling_of_mixed_precision():
    trained = variables((1, 1), (1, 1))
    inner = make_optimizer(
        PhaseSettings(
            optimizer="sgd", learning_rate=RATE, fine_tune_at="all", backbone_multiplier=0.25
        ),
        1,
        trained[:1],
    )
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=4.0)
    assert walk(optimizer, trained, [8.0])[0] == pytest.approx([1 - 0.25 * 0.2, 1 - 0.2])
