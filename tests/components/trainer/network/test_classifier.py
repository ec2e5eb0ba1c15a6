"""The classifier: how much of it learns, and that fine-tuning leaves BatchNorm alone."""

import keras
import numpy as np
import pytest

from components.trainer.network import initial_weights
from components.trainer.network.classifier import (
    BackboneLayer,
    build_classifier,
    count_parameters,
    learning_layers,
    set_learning,
    tail_from,
)
from components.trainer.settings.trainer import BackboneSettings, HeadSettings, PhaseSettings

TINY = BackboneSettings(alpha=0.35, image_size=32, weights="glyphs")


def statistics(model):
    """Copies of all moving means and variances, by path."""
    return {w.path: w.numpy().copy() for w in model.weights if "moving_" in w.path}


def pixels_and_labels(count=24):
    rng = np.random.default_rng(0)
    pixels = rng.uniform(-1, 1, (count, 32, 32, 3)).astype(np.float32)
    return pixels, rng.integers(0, 3, count)


def fit_briefly(model, inputs=None):
    pixels, labels = pixels_and_labels()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Eagerly: three steps do not pay for a graph.
    model.compile(keras.optimizers.SGD(0.01), loss, run_eagerly=True)
    model.fit(pixels if inputs is None else inputs, labels, batch_size=8, verbose=0)


def test_mobilenet_v2_at_160_px_learns_as_many_parameters_as_published():
    backbone = BackboneSettings(alpha=1.0, image_size=160, weights="none")
    model = build_classifier(backbone, HeadSettings(), num_classes=2, steps=1)
    set_learning(model, PhaseSettings())
    counted = count_parameters(model)
    assert (counted.trainable, counted.total, counted.trainable_variables) == (1_281, 2_259_265, 2)
    set_learning(model, PhaseSettings(fine_tune_at=100))
    counted = count_parameters(model)
    assert (counted.trainable, counted.total) == (1_862_721, 2_259_265)
    assert counted.trainable_variables == 56


@pytest.mark.slow
def test_fine_tuning_moves_weights_but_no_moving_statistic():
    model = build_classifier(TINY, HeadSettings(), num_classes=3, steps=10)
    set_learning(model, PhaseSettings(fine_tune_at="all"))
    before, kernel = statistics(model), model.trainable_weights[0].numpy().copy()
    fit_briefly(model)
    assert len(before) == 104
    for path, value in statistics(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)
    assert np.abs(model.trainable_weights[0].numpy() - kernel).max() > 0


@pytest.mark.slow
def test_the_cut_off_backbone_leaves_its_moving_statistics_alone_too():
    model = build_classifier(TINY, HeadSettings(), num_classes=3, steps=10)
    set_learning(model, PhaseSettings(fine_tune_at=120))
    network = model.get_layer("backbone").network
    cut = network.get_layer("block_12_add").output
    rest = tail_from(model, cut)
    before, kernel = statistics(rest), rest.trainable_weights[0].numpy().copy()
    activations = np.asarray(keras.Model(network.input, cut)(pixels_and_labels()[0]))
    fit_briefly(rest, activations)
    assert len(before) == 26, "those of blocks 13 to 16 and of the last convolution"
    for path, value in statistics(rest).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)
    assert np.abs(rest.trainable_weights[0].numpy() - kernel).max() > 0


@pytest.mark.slow
def test_a_network_from_scratch_learns_its_statistics_in_few_steps():
    scratch = TINY.model_copy(update={"weights": "none"})
    model = build_classifier(scratch, HeadSettings(), num_classes=3, steps=40)
    set_learning(model, PhaseSettings(fine_tune_at="all"))
    before = statistics(model)
    fit_briefly(model)
    assert all((value != before[path]).any() for path, value in statistics(model).items())


@pytest.mark.parametrize(
    ("weights", "steps", "momentum"),
    [("none", 1, 0.5), ("none", 40, 0.75), ("none", 10**6, 0.999), ("glyphs", 40, 0.99)],
)
def test_averages_of_a_network_from_scratch_arrive_within_a_tenth_of_the_steps(
    weights, steps, momentum, monkeypatch
):
    pixels, normalization = keras.Input((32, 32, 3)), keras.layers.BatchNormalization()
    network = keras.Model(pixels, normalization(pixels))
    monkeypatch.setattr(initial_weights, "pretrained_network", lambda settings: network)
    backbone = TINY.model_copy(update={"weights": weights})
    build_classifier(backbone, HeadSettings(), num_classes=3, steps=steps)
    assert normalization.momentum == pytest.approx(momentum)


@pytest.mark.parametrize(("classes", "width"), [(2, 1), (3, 3)])
def test_two_classes_share_one_logit(small_backbone, classes, width):
    model = build_classifier(TINY, HeadSettings(dropout=0.0), num_classes=classes, steps=1)
    assert model.output_shape == (None, width)


@pytest.mark.slow
def test_a_backbone_knows_its_output_without_going_through_its_layers(small_backbone, monkeypatch):
    network, pixels = initial_weights.pretrained_network(TINY), keras.Input((32, 32, 3))
    with monkeypatch.context() as patched:
        patched.setattr(network, "call", lambda *_, **__: pytest.fail("called"))
        output = BackboneLayer(network)(pixels)
    answer = keras.Model(pixels, output)(np.zeros((2, 32, 32, 3), np.float32))
    assert (output.shape[1:], output.dtype) == (answer.shape[1:], "float32")


def test_dropout_is_off_in_inference(small_backbone):
    model = build_classifier(TINY, HeadSettings(dropout=0.9), num_classes=3, steps=1)
    pixels = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(model(pixels, training=False), model(pixels, training=False))
    assert (
        np.abs(np.subtract(model(pixels, training=True), model(pixels, training=False))).max() > 0
    )


def test_layers_can_be_named_and_a_wrong_name_is_told(small_backbone):
    model = build_classifier(TINY, HeadSettings(), num_classes=3, steps=1)
    network = model.get_layer("backbone").network
    set_learning(model, PhaseSettings(fine_tune_at="block_2"))
    assert [layer.name for layer in network.layers if layer.trainable] == ["block_2"]
    with pytest.raises(ValueError, match=r"small has no layer block2 \(did you mean `block_2`"):
        set_learning(model, PhaseSettings(fine_tune_at="block2"))


@pytest.fixture
def small_backbone(monkeypatch):
    """Puts a network of two layers in the place of MobileNetV2."""

    def network(settings):
        pixels = keras.Input((32, 32, 3))
        x = keras.layers.Conv2D(4, 16, strides=16, name="block_1")(pixels)
        return keras.Model(pixels, keras.layers.ReLU(name="block_2")(x), name="small")

    monkeypatch.setattr(initial_weights, "pretrained_network", network)


def names_below_the_backbone(model):
    names = [layer.name for layer in model.layers]
    return names[names.index("backbone") + 1 :]


def test_dropout_comes_before_every_linear_layer_and_hidden_ones_have_relu(small_backbone):
    head = HeadSettings(hidden=[6, 5], dropout=0.5)
    model = build_classifier(TINY, head, num_classes=3, steps=1)
    assert names_below_the_backbone(model) == [
        "pooling", "dropout_1", "hidden_1", "dropout_2", "hidden_2", "dropout", "logits"
    ]  # fmt: skip
    assert [model.get_layer(f"hidden_{n}").units for n in (1, 2)] == [6, 5]
    assert model.get_layer("hidden_1").activation is keras.activations.relu
    assert {model.get_layer(n).rate for n in ("dropout_1", "dropout_2", "dropout")} == {0.5}
    default = build_classifier(TINY, HeadSettings(), num_classes=3, steps=1)
    assert names_below_the_backbone(default) == ["pooling", "dropout", "logits"]


@pytest.mark.parametrize(("pooling", "width"), [("avg", 4), ("max", 4), ("flatten", 16)])
def test_pooling_takes_the_mean_the_highest_or_all_places(small_backbone, pooling, width):
    head = HeadSettings(pooling=pooling, dropout=0.0)
    model = build_classifier(TINY, head, num_classes=3, steps=1)
    pixels = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    places = np.asarray(model.get_layer("backbone")(pixels))
    expected = {
        "avg": places.mean(axis=(1, 2)),
        "max": places.max(axis=(1, 2)),
        "flatten": places.reshape(2, -1),
    }[pooling]
    logits = model.get_layer("logits")
    assert logits.kernel.shape == (width, 3)
    np.testing.assert_allclose(model(pixels), expected @ np.asarray(logits.kernel), atol=1e-5)


def test_two_classes_can_have_an_output_each_and_three_cannot_share_one(small_backbone):
    softmax = build_classifier(TINY, HeadSettings(output="softmax"), num_classes=2, steps=1)
    assert softmax.output_shape == (None, 2)
    logit = build_classifier(TINY, HeadSettings(output="logit"), num_classes=2, steps=1)
    assert logit.output_shape == (None, 1)
    with pytest.raises(
        ValueError, match=r"head\.output: `logit` is for two classes.* has 3: choose"
    ):
        build_classifier(TINY, HeadSettings(output="logit"), num_classes=3, steps=1)


@pytest.mark.parametrize(
    ("priors", "output"), [([30, 10], "auto"), ([30, 10], "softmax"), ([1, 2, 5], "auto")]
)
def test_the_first_answer_is_how_often_each_class_comes(small_backbone, priors, output):
    head = HeadSettings(output=output, class_prior_bias=True)
    model = build_classifier(TINY, head, len(priors), steps=1, priors=priors)
    # What the bias says alone: no feature speaks for or against a class.
    logits = np.asarray(model.get_layer("logits")(np.zeros((1, 4))))[0]
    if len(logits) == 1:
        logits = np.array([0.0, *logits])
    np.testing.assert_allclose(
        np.exp(logits) / np.exp(logits).sum(), np.array(priors) / sum(priors), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("head", "priors"),
    [
        ({"class_prior_bias": True}, [7, 7, 7]),
        ({"class_prior_bias": True}, None),
        ({}, [1, 2, 3]),
    ],
)
def test_the_bias_begins_at_zero_where_there_is_nothing_to_say(small_backbone, head, priors):
    model = build_classifier(TINY, HeadSettings(**head), 3, steps=1, priors=priors)
    np.testing.assert_array_equal(model.get_layer("logits").bias, 0.0)


def test_logits_are_float32_under_mixed_precision(small_backbone, mixed_precision):
    model = build_classifier(TINY, HeadSettings(hidden=[6]), num_classes=3, steps=1)
    kinds = {name: model.get_layer(name).compute_dtype for name in ("hidden_1", "logits")}
    assert kinds == {"hidden_1": "float16", "logits": "float32"}


def test_a_wrong_name_is_told_with_the_last_layers_of_the_network():
    pixels = x = keras.Input((2,), name="layer_0")
    for number in range(1, 5):
        x = keras.layers.Dense(2, name=f"layer_{number}")(x)
    network = keras.Model(pixels, x)
    with pytest.raises(ValueError, match=r"Its last layers are layer_2, layer_3, layer_4$"):
        learning_layers(network, PhaseSettings(fine_tune_at="top"))


def test_the_first_and_the_last_layer_can_be_named_and_a_later_phase_may_freeze_them(
    small_backbone,
):
    model = build_classifier(TINY, HeadSettings(), num_classes=3, steps=1)
    network = model.get_layer("backbone").network
    learning = []
    for at in (0, 2, "all", None):
        set_learning(model, PhaseSettings(fine_tune_at=at))
        learning.append([layer.trainable for layer in network.layers])
    assert learning == [[True] * 3, [False, False, True], [True] * 3, [False] * 3]
    for at in (-1, 3):
        with pytest.raises(ValueError, match=f"fine_tune_at is {at}, but .* has layers 0 to 2"):
            set_learning(model, PhaseSettings(fine_tune_at=at))
