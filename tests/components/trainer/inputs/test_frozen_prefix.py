"""Where networks can be cut, found from their graphs."""

import keras
import numpy as np
import pytest

from components.trainer.inputs.frozen_prefix import deepest_frozen_tensor
from components.trainer.network import keras_applications
from components.trainer.network.classifier import (
    build_classifier,
    learning_layers,
    set_learning,
    tail_from,
)
from components.trainer.settings.backbones import BACKBONES
from components.trainer.settings.trainer import BackboneSettings, HeadSettings, PhaseSettings


def layers_from(network, index):
    return set(network.layers[index:])


@pytest.fixture(scope="module")
def mobilenet():
    return keras_applications.build("mobilenet_v2", 1.0, 160, None)


def test_fine_tuning_mobilenet_v2_from_layer_100_is_cut_after_block_10(mobilenet):
    cut = deepest_frozen_tensor(mobilenet, layers_from(mobilenet, 100))
    assert cut is mobilenet.get_layer("block_10_project_BN").output
    assert cut.shape == (None, 10, 10, 96)


def test_nothing_learning_cuts_at_the_output_and_everything_learning_at_the_input(mobilenet):
    assert deepest_frozen_tensor(mobilenet, set()) is mobilenet.output
    assert deepest_frozen_tensor(mobilenet, set(mobilenet.layers)) is mobilenet.input


def test_a_residual_branch_around_the_cut_moves_it_above_the_branch(mobilenet):
    # The addition of block 12 also needs what block 11 made, so the cut lies before block 12.
    inside = mobilenet.layers.index(mobilenet.get_layer("block_12_project"))
    cut = deepest_frozen_tensor(mobilenet, layers_from(mobilenet, inside))
    assert cut is mobilenet.get_layer("block_11_add").output


def test_a_learning_layer_without_weights_does_not_move_the_cut():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(3, name="frozen")(inputs)
    x = keras.layers.ReLU(name="no weights")(x)
    network = keras.Model(inputs, keras.layers.Dense(2, name="learns")(x))
    cut = deepest_frozen_tensor(network, layers_from(network, 2))
    assert cut is network.get_layer("no weights").output


def settle_normalization(network, pixels):
    """Statistics as after training: with the initial ones a deep random network answers nothing."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(pixels, training=True)


# Each with the index of a layer somewhere in its second half, and how many BatchNorms do not come
# right behind a convolution, or behind one of two steps.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "at", "unfolded"),
    [
        ("mobilenet_v2", 64, 100, 0),
        ("resnet50_v2", 64, 140, 17),
        ("inception_v3", 96, 249, 0),
        ("nasnet_mobile", 64, 600, 164),
        ("efficientnet_b0", 64, 160, 0),
    ],
)
def test_both_halves_together_are_the_whole_network(name, size, at, unfolded):
    settings = BackboneSettings(name=name, image_size=size, weights="none")
    model = build_classifier(settings, HeadSettings(), num_classes=3, steps=1)
    network = model.get_layer("backbone").network
    low, high = (0, 255) if BACKBONES[name].value_range == "raw" else (-1, 1)
    rng = np.random.default_rng(0)
    pixels = rng.uniform(low, high, (8, size, size, 3)).astype(np.float32)
    settle_normalization(network, pixels)

    phase = PhaseSettings(fine_tune_at=at)
    cut = deepest_frozen_tensor(network, learning_layers(network, phase))
    assert cut is not network.input and cut is not network.output
    set_learning(model, phase)
    rest = tail_from(model, cut, learns=False)  # folded, as of weights that are not random
    assert {id(w) for w in rest.trainable_weights} == {id(w) for w in model.trainable_weights}

    kept = np.asarray(keras.Model(network.input, cut)(pixels, training=False))
    direct = np.asarray(model(pixels, training=False))
    scale = float(np.abs(direct).max())
    # A random network amplifies the rounding more than a trained one, that of folding too.
    rounded = kept.astype(np.float16).astype(np.float32)
    exact, of_rounded = np.split(rest(np.concatenate([kept, rounded]), training=False), 2)
    np.testing.assert_allclose(exact, direct, atol=2e-3 * scale)
    np.testing.assert_allclose(of_rounded, direct, atol=3e-2 * scale)
    whole = tail_from(model, network.input, learns=False)
    np.testing.assert_allclose(whole(pixels, training=False), direct, atol=2e-3 * scale)
    layers = whole.get_layer("backbone").network.layers
    assert sum(isinstance(la, keras.layers.BatchNormalization) for la in layers) == unfolded
    assert scale > 1e-3 and float(np.ptp(direct)) > 0.1 * scale, "there is a signal to compare"
