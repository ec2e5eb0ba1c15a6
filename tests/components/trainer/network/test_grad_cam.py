"""Grad-CAM finds a planted patch, under every kind of head."""

import keras
import numpy as np
import pytest

from components.trainer.network import initial_weights
from components.trainer.network.classifier import build_classifier
from components.trainer.network.grad_cam import Explainer
from components.trainer.settings.trainer import BackboneSettings, HeadSettings

SIDE, CELL = 32, 8
RED, BLUE = (0, 1), (3, 2)  # cells of the patches


@pytest.fixture
def planted(monkeypatch):
    """A backbone with two maps, of the red and of the blue in each cell of 8 pixels."""

    def network(_):
        pixels = keras.Input((SIDE, SIDE, 3))
        mean = keras.layers.AveragePooling2D(CELL)(pixels)
        colours = keras.layers.Conv2D(2, 1, use_bias=False)
        model = keras.Model(pixels, colours(mean))
        colours.kernel.assign(np.array([[[[1, 0], [0, 0], [0, 1]]]], np.float32))
        return model

    monkeypatch.setattr(initial_weights, "pretrained_network", network)


def picture(red: float, blue: float) -> np.ndarray:
    """A black picture with a red and a blue patch of that brightness, float32 [32, 32, 3]."""
    pixels = np.zeros((SIDE, SIDE, 3), np.float32)
    for (row, column), channel, level in ((RED, 0, red), (BLUE, 2, blue)):
        rows, columns = (slice(CELL * at, CELL * (at + 1)) for at in (row, column))
        pixels[rows, columns, channel] = level
    return pixels


# Class 0 is red, class 1 is blue.
SIGNS = np.array([[1.0, -1.0], [-1.0, 1.0]], np.float32)


def classifier(**head) -> keras.Model:
    settings = HeadSettings(**{"output": "softmax", **head})
    model = build_classifier(
        BackboneSettings(weights="none", image_size=SIDE), settings, num_classes=2, steps=10
    )
    last = model.get_layer("logits")
    columns = SIGNS if last.units == 2 else SIGNS[:, 1:]
    if settings.hidden:
        model.get_layer("hidden_1").kernel.assign(np.eye(2, dtype=np.float32))
    repeats = last.kernel.shape[0] // 2
    last.kernel.assign(np.tile(columns, (repeats, 1)))
    return model


HEADS = {
    "avg": {},
    "max": {"pooling": "max"},
    "flatten": {"pooling": "flatten"},
    "hidden": {"hidden": [2]},
    "one logit": {"output": "logit"},
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_the_map_lies_on_the_patch_that_speaks_for_the_class_that_is_named(planted, head):
    model = classifier(**head)
    explainer = Explainer(model)
    pixels = np.stack([picture(9.0, 1.0), picture(1.0, 9.0)])
    logits, features = explainer.logits_and_features(pixels)
    np.testing.assert_array_equal(logits, model(pixels))
    expected = np.zeros((2, 4, 4), np.float32)
    expected[0][RED] = expected[1][BLUE] = 1.0
    np.testing.assert_allclose(explainer.maps(features), expected, atol=1e-6)


def test_where_nothing_speaks_for_the_class_the_map_is_black(planted):
    explainer = Explainer(classifier())
    _, features = explainer.logits_and_features(np.zeros((1, SIDE, SIDE, 3), np.float32))
    np.testing.assert_array_equal(explainer.maps(features), np.zeros((1, 4, 4)))


def test_of_weights_and_maps_it_makes_what_the_paper_says(tiny_network):
    """With average pooling the gradient is the class' weights, the same everywhere."""
    model = build_classifier(
        BackboneSettings(weights="none", image_size=SIDE), HeadSettings(), num_classes=3, steps=10
    )
    pixels = np.random.default_rng(0).uniform(-1, 1, (6, SIDE, SIDE, 3)).astype(np.float32)
    explainer = Explainer(model)
    logits, features = explainer.logits_and_features(pixels)
    kernel = model.get_layer("logits").kernel.numpy()
    for logit, maps, heat in zip(logits, features, explainer.maps(features), strict=True):
        raw = np.maximum(np.asarray(maps) @ kernel[:, np.argmax(logit)], 0.0)
        np.testing.assert_allclose(heat, raw / raw.max() if raw.max() else raw, atol=1e-5)


def test_a_backbone_that_gives_a_vector_has_no_maps(monkeypatch):
    pixels = keras.Input((SIDE, SIDE, 3))
    vector = keras.Model(pixels, keras.layers.AveragePooling2D(SIDE)(pixels))
    monkeypatch.setattr(initial_weights, "pretrained_network", lambda _: vector)
    model = build_classifier(
        BackboneSettings(weights="none", image_size=SIDE),
        HeadSettings(dropout=0.9),
        num_classes=2,
        steps=10,
    )
    explainer = Explainer(model)
    assert not explainer.has_maps
    logits, features = explainer.logits_and_features(np.ones((1, SIDE, SIDE, 3), np.float32))
    assert features is None and logits.shape == (1, 1)
    again, _ = explainer.logits_and_features(np.ones((1, SIDE, SIDE, 3), np.float32))
    np.testing.assert_array_equal(logits, again)
    np.testing.assert_array_equal(logits, model(np.ones((1, SIDE, SIDE, 3), np.float32)))


@pytest.mark.parametrize("places", [(1, 2), (2, 1), (2, 2)])
def test_two_places_are_a_map_already(places, monkeypatch):
    pixels = keras.Input((SIDE, SIDE, 3))
    cells = tuple(SIDE // number for number in places)
    network = keras.Model(pixels, keras.layers.AveragePooling2D(cells)(pixels))
    monkeypatch.setattr(initial_weights, "pretrained_network", lambda _: network)
    model = build_classifier(
        BackboneSettings(weights="none", image_size=SIDE), HeadSettings(), num_classes=2, steps=10
    )
    explainer = Explainer(model)
    _, features = explainer.logits_and_features(np.ones((1, SIDE, SIDE, 3), np.float32))
    assert explainer.has_maps and explainer.maps(features).shape == (1, *places)
