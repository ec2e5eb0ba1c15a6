"""The records of the backbones against the source of Keras, which is what they stand for."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.applications import imagenet_utils

from components.pixels import rescale
from components.trainer.network import keras_applications
from components.trainer.settings.backbones import BACKBONES, SAVED_MODEL_BACKBONE

pytestmark = pytest.mark.slow

KERAS = [name for name in BACKBONES if name != SAVED_MODEL_BACKBONE]


class StopError(Exception):
    """Ends a constructor as soon as it has said what the test wants to know."""


def module_of(name):
    return sys.modules[getattr(keras.applications, BACKBONES[name].constructor).__module__]


@pytest.fixture(scope="module", autouse=True)
def short():
    """EfficientNets have their first kind of block alone: what is looked at lies around them."""
    first, second = map(module_of, ("efficientnet_b0", "efficientnet_v2_b0"))
    blocks = second.DEFAULT_BLOCKS_ARGS
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(first, "DEFAULT_BLOCKS_ARGS", first.DEFAULT_BLOCKS_ARGS[:1])
        monkeypatch.setitem(blocks, "efficientnetv2-b0", blocks["efficientnetv2-b0"][:1])
        yield


# MobileNetV3 does without the common function; its constructor says 224 in words only.
@pytest.mark.parametrize("name", [n for n in KERAS if not n.startswith("mobilenet_v3")])
def test_sizes_are_those_of_the_constructors(name, monkeypatch):
    def stop(shape, default_size, min_size, **_):
        raise StopError(default_size, min_size)

    monkeypatch.setattr(imagenet_utils, "obtain_input_shape", stop)
    with pytest.raises(StopError) as asked:
        keras_applications.build(name, 1.0, BACKBONES[name].size, None)
    assert asked.value.args == (BACKBONES[name].size, BACKBONES[name].min_size)


@pytest.mark.parametrize("name", KERAS)
def test_value_ranges_are_those_of_the_networks_own_preprocessing(name):
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 4, 3)).astype(np.float32)
    expected = module_of(name).preprocess_input(pixels.copy())
    ours = rescale(tf.constant(pixels), BACKBONES[name].value_range)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


# These make the name of the file out of the name that they are given.
@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_v2_b0"])
def test_imagenet_weights_are_asked_for_by_keras_own_name(name, monkeypatch):
    asked = []

    def get_file(file_name, *_, **__):
        asked.append(file_name)
        raise StopError

    monkeypatch.setattr(module_of(name).file_utils, "get_file", get_file)
    for build in (
        lambda: keras_applications.build(name, 1.0, 32, "imagenet"),
        lambda: module_of(name).__dict__[BACKBONES[name].constructor](include_top=False),
    ):
        with pytest.raises(StopError):
            build()
    assert asked[0] == asked[1]


def test_the_layers_of_efficientnet_v2_are_those_that_keras_gives_it():
    ours = keras_applications.build("efficientnet_v2_b0", 1.0, 32, None)
    theirs = keras.applications.EfficientNetV2B0(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    assert [type(layer) for layer in ours.layers] == [type(layer) for layer in theirs.layers]
    assert ours.name == "efficientnet_v2_b0"


def imagenet_efficientnet(folder, monkeypatch):
    """What `weights="imagenet"` gives, the download replaced by a file of random weights."""
    path = str(folder / "random.weights.h5")
    source = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    rng = np.random.default_rng(0)
    for weight in source.weights:
        weight.assign(weight + rng.uniform(0, 0.1, weight.shape).astype(weight.dtype))
    source.save_weights(path)
    monkeypatch.setattr(module_of("efficientnet_b0").file_utils, "get_file", lambda *_, **__: path)
    return keras_applications.build("efficientnet_b0", 1.0, 32, "imagenet")


@pytest.fixture(scope="module")
def efficientnet(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        return imagenet_efficientnet(tmp_path_factory.mktemp("efficientnet"), monkeypatch)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(1).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)


def test_an_efficientnet_saved_with_imagenet_weights_answers_alike_when_loaded_from_the_file(
    efficientnet, pixels, tmp_path
):
    from components.trainer.network.initial_weights import pretrained_network
    from components.trainer.settings.trainer import BackboneSettings

    path = tmp_path / "mine.weights.h5"
    efficientnet.save_weights(path)
    loaded = pretrained_network(
        BackboneSettings(name="efficientnet_b0", image_size=32, weights=str(path))
    )
    assert [type(layer) for layer in loaded.layers] == [type(la) for la in efficientnet.layers]
    assert [layer.name for layer in loaded.layers[4:]] == [
        la.name for la in efficientnet.layers[4:]
    ]
    expected = efficientnet(pixels, training=False)
    np.testing.assert_allclose(loaded(pixels, training=False), expected, rtol=1e-5, atol=1e-6)
    assert np.ptp(expected) > 1e-3, "there is a signal to compare"


def test_assigned_weights_of_the_normalization_count_once_it_is_settled(efficientnet, pixels):
    # Twice: Keras counts on when it names layers, and names must not meet.
    _, blank = (keras_applications.build("efficientnet_b0", 1.0, 32, None) for _ in range(2))
    blank.set_weights(efficientnet.get_weights())
    blank.trainable = False  # as while the head alone learns
    expected = np.asarray(efficientnet(pixels, training=False))
    assert np.abs(np.asarray(blank(pixels, training=False)) - expected).max() > 1e-4
    keras_applications.finalize_state(blank)
    np.testing.assert_allclose(blank(pixels, training=False), expected, rtol=1e-5, atol=1e-6)
