"""BatchNorm folded into convolutions: the same function, variables and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.network.classifier import BackboneLayer, tail_from
from components.trainer.network.folding import folded
from components.trainer.network.scorer import _folded

PIXELS = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)


def small_network() -> keras.Model:
    """Every kind of convolution and BatchNorm there is, with statistics that change something."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = pixels = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, use_bias=False, name="dense")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(name="after_dense")(x))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="depthwise")(x)
    x = layers.BatchNormalization(scale=False, name="after_depthwise")(x)
    x = branch = layers.Conv2D(6, 1, name="pointwise")(x)
    x = layers.BatchNormalization(center=False, name="not_alone")(x)
    x = layers.Conv2D(6, 1, activation="relu", name="active")(layers.Add()([x, branch]))
    x = layers.BatchNormalization(name="after_activation")(x)
    x = layers.Conv2D(5, 1, name="biased")(x)
    x = layers.BatchNormalization(epsilon=0.1, name="after_biased")(x)
    x = layers.Conv2D(4, 1, strides=2, groups=1, name="last")(x)
    network = keras.Model(pixels, x)
    rng = np.random.default_rng(1)
    for weight in network.weights:
        if "variance" in weight.path or "gamma" in weight.path:
            weight.assign(rng.uniform(0.5, 2.0, weight.shape))
        elif "kernel" not in weight.path:
            weight.assign(rng.uniform(-0.5, 0.5, weight.shape))
    return network


def normalizations(network: keras.Model) -> set[str]:
    kind = keras.layers.BatchNormalization
    return {layer.name for layer in network.layers if isinstance(layer, kind)}


def gradients(network: keras.Model, variables: list) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(3.0 * network(PIXELS, training=False)))
    return [np.asarray(g) for g in tape.gradient(loss, [v.value for v in variables])]


def test_it_is_the_same_function_with_the_same_gradients():
    network = small_network()
    other = folded(network)
    assert normalizations(other) == {"not_alone", "after_activation"}
    np.testing.assert_allclose(other(PIXELS), network(PIXELS), rtol=1e-4, atol=1e-5)
    variables = network.trainable_variables
    assert {v.path for v in other.trainable_variables} == {v.path for v in variables}
    pairs = zip(gradients(network, variables), gradients(other, variables), variables, strict=True)
    for expected, found, variable in pairs:
        assert np.abs(expected).max() > 0, variable.path
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3, err_msg=variable.path)


def test_the_variables_are_shared():
    network = small_network()
    other = folded(network)
    network.get_layer("after_dense").gamma.assign(np.full(8, 3.0))
    network.get_layer("biased").trainable = False
    np.testing.assert_allclose(other(PIXELS), network(PIXELS), rtol=1e-4, atol=1e-5)
    left = {v.path for v in other.trainable_variables}
    assert left == {v.path for v in network.trainable_variables}
    assert "biased/kernel" not in left


def test_bf16_is_what_dense_convolutions_multiply_in_and_nothing_else():
    network = small_network()
    plain, in_bf16 = np.asarray(network(PIXELS)), folded(network, "bf16")(PIXELS)
    assert in_bf16.dtype == tf.float32
    assert 1e-4 < np.abs(in_bf16 - plain).max() / np.abs(plain).max() < 0.05
    pixels = keras.Input((16, 16, 3))
    depthwise = keras.Model(pixels, keras.layers.DepthwiseConv2D(3)(pixels))
    assert folded(depthwise, "bf16") is depthwise
    found = gradients(folded(network, "bf16"), network.trainable_variables)
    for expected, gradient in zip(
        gradients(network, network.trainable_variables), found, strict=True
    ):
        assert gradient.dtype == np.float32
        assert np.abs(gradient - expected).max() < 0.2 * np.abs(expected).max()


def small_classifier(network: keras.Model, train_normalization: bool) -> keras.Model:
    pixels = keras.Input((16, 16, 3))
    layer = BackboneLayer(network, train_normalization, name="backbone")
    features = keras.layers.GlobalAveragePooling2D(name="pooling")(layer(pixels))
    return keras.Model(pixels, keras.layers.Dense(1)(features))


def test_the_rest_of_a_classifier_multiplies_in_what_is_asked_for():
    network = small_network()
    model = small_classifier(network, train_normalization=False)
    plain, in_bf16 = (
        np.asarray(tail_from(model, network.input, precision)(PIXELS))
        for precision in ("float32", "bf16")
    )
    np.testing.assert_allclose(plain, model(PIXELS), rtol=1e-4, atol=1e-5)
    assert 1e-5 < np.abs(in_bf16 - plain).max() < 0.1 * np.abs(plain).max()


def test_where_statistics_are_learned_nothing_is_folded():
    network = small_network()
    assert folded(network, folds=False) is network
    model = small_classifier(network, train_normalization=True)
    rest = tail_from(model, network.input)
    moving = network.get_layer("after_dense").moving_mean
    before = np.asarray(moving)
    rest(PIXELS, training=True)
    assert np.abs(np.asarray(moving) - before).max() > 0


def test_what_is_served_is_folded_though_its_statistics_were_learned():
    model = small_classifier(small_network(), train_normalization=True)
    served = _folded(model)
    assert normalizations(served.get_layer("backbone").network) == {"not_alone", "after_activation"}
    np.testing.assert_allclose(served(PIXELS), model(PIXELS), rtol=1e-4, atol=1e-5)


def of_two_outputs(pixels):
    x = keras.layers.Conv2D(4, 1)(pixels)
    return [x, keras.layers.BatchNormalization()(x)]


def of_two_branches(pixels):
    layers = keras.layers
    x = layers.Conv2D(4, 1)(pixels)
    return layers.Add()([layers.BatchNormalization()(x), layers.ReLU()(layers.ReLU(3.0)(x))])


@pytest.mark.parametrize(
    "layers",
    [
        of_two_outputs,
        of_two_branches,
        lambda x: keras.layers.BatchNormalization(axis=1)(keras.layers.Conv2D(4, 1)(x)),
    ],
    ids=["an output too", "another branch takes it too", "rows are normalized"],
)
def test_what_cannot_be_folded_stays_as_it_is(layers):
    pixels = keras.Input((16, 16, 3))
    network = keras.Model(pixels, layers(pixels))
    assert folded(network) is network


def test_a_picture_that_is_no_square_keeps_its_height_and_width():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 8, 3))
    network = keras.Model(pixels, keras.layers.Conv2D(6, 1)(pixels))
    found, expected = folded(network, "bf16")(PIXELS[:, :, :8]), network(PIXELS[:, :, :8])
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_a_dilated_depthwise_convolution_stays_dilated():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.DepthwiseConv2D(3, dilation_rate=2)(pixels)
    network = keras.Model(pixels, keras.layers.BatchNormalization()(x))
    other = folded(network)
    assert other is not network
    np.testing.assert_allclose(other(PIXELS), network(PIXELS), atol=1e-5)


def test_what_is_computed_in_float16_is_not_folded():
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 1, dtype="mixed_float16")(pixels)
    network = keras.Model(pixels, keras.layers.BatchNormalization()(x))
    assert folded(network) is network and folded(network, "bf16") is network


def test_pointwise_groups_are_no_matrix_product():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 16, 3))
    network = keras.Model(pixels, keras.layers.Conv2D(6, 1, groups=3)(pixels))
    found, expected = folded(network, "bf16")(PIXELS), network(PIXELS)
    np.testing.assert_allclose(found, expected, atol=0.02)
