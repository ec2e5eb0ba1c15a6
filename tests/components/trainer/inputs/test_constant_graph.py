"""A graph with constants gives what the graph with variables gives, but for rounding."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.inputs import constant_graph
from components.trainer.network import saved_model


def network(outputs: str = "dict") -> keras.Model:
    """Convolutions with BatchNorm and relu, whose statistics are not those of a fresh layer."""
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(0)
    x = pixels = keras.Input((16, 16, 3))
    for filters in (8, 16):
        x = keras.layers.Conv2D(filters, 3, use_bias=False)(x)
        normalization = keras.layers.BatchNormalization()
        x = keras.layers.ReLU(6.0)(normalization(x))
        normalization.set_weights([rng.uniform(0.5, 2, filters) for _ in range(4)])
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, {"b": x, "a": pooled} if outputs == "dict" else pooled)


@pytest.mark.parametrize("count", [1, 5])
def test_the_error_against_the_plain_graph(count):
    pixels = np.random.default_rng(1).uniform(-1, 1, (count, 16, 16, 3)).astype(np.float32)
    model = network()
    plain, found = (
        model(pixels, training=False),
        constant_graph.inference(model)(tf.constant(pixels)),
    )
    assert set(found) == {"a", "b"}
    for name, expected in plain.items():
        assert np.abs(expected).max() > 0.1, "there is a signal to compare"
        error = np.abs(found[name].numpy() - expected.numpy()).max()
        assert error < 1e-5 * np.abs(expected).max()


def test_one_output_comes_as_one():
    model = network("one")
    found = constant_graph.inference(model)(tf.zeros([2, 16, 16, 3]))
    assert found.shape == (2, 16)


def test_no_batch_is_printed(monkeypatch):
    """TensorFlow would do it for an error of its own, at a tenth of the time of a small network."""
    run, pixels = constant_graph.inference(network("one")), tf.zeros([2, 16, 16, 3])
    monkeypatch.setattr(type(pixels), "__repr__", lambda self: pytest.fail("printed"))
    run(pixels)


def test_the_weights_are_those_of_the_moment(monkeypatch):
    """So what is kept in a graph is asked before anything learns, and never afterwards."""
    model, pixels = network("one"), tf.ones([1, 16, 16, 3])
    size = sum(weight.nbytes for weight in model.get_weights())
    monkeypatch.setattr(constant_graph, "_MOST_BYTES", size)
    run = constant_graph.inference(model)
    before = run(pixels).numpy()
    model.set_weights([weight * 0 for weight in model.get_weights()])
    assert np.array_equal(run(pixels), before) and before.any()


@pytest.mark.parametrize("obstacle", ["loaded", "large", "several devices"])
def test_what_may_not_take_constants_keeps_its_variables(obstacle, monkeypatch):
    if obstacle == "loaded":
        monkeypatch.setattr(saved_model, "loaded_parts", lambda model: [object()])
    elif obstacle == "large":
        size = sum(weight.nbytes for weight in network("one").get_weights())
        monkeypatch.setattr(constant_graph, "_MOST_BYTES", size - 1)
    else:
        strategy = types.SimpleNamespace(num_replicas_in_sync=2)
        monkeypatch.setattr(tf.distribute, "get_strategy", lambda: strategy)
    model, pixels = network("one"), tf.ones([1, 16, 16, 3])
    run = constant_graph.inference(model)
    model.set_weights([weight * 0 for weight in model.get_weights()])
    assert not run(pixels).numpy().any()
