"""A SavedModel in the place of a backbone: asked, cached, exported, and refused by name."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.graph_check import forbidden_operations
from components.trainer.export import export
from components.trainer.fitting.phases import run_phases
from components.trainer.inputs.examples import ExampleReader
from components.trainer.inputs.frozen_prefix import deepest_frozen_tensor
from components.trainer.inputs.phase_inputs import Splits, phase_inputs
from components.trainer.network import saved_model
from components.trainer.network.classifier import build_classifier, count_parameters
from components.trainer.network.scorer import Scorer
from components.trainer.settings.trainer import (
    BackboneSettings,
    HeadSettings,
    TrainingSettings,
    UnfrozenPhaseSettings,
)


class FeatureVector(tf.Module):
    """As TensorFlow Hub's are: float32 [batch, h, w, 3] in, [batch, 5] out, with a variable.

    In training it gives something else, and it looks a number up in a table: a resource that an
    export must keep, too.
    """

    def __init__(self, pooled=True):
        super().__init__()
        self.kernel = tf.Variable(tf.random.stateless_normal([3, 5], [1, 2]))
        numbers = tf.lookup.KeyValueTensorInitializer([7], [2.0])
        self.table = tf.lookup.StaticHashTable(numbers, 0.0)
        self.pooled = pooled

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3]),
            tf.TensorSpec([], tf.bool, "training"),
        ]
    )
    def __call__(self, images, training):
        features = (images @ self.kernel[None]) * self.table.lookup(tf.constant(7))
        features = tf.where(training, -1000.0, features)
        return tf.reduce_mean(features, [1, 2]) if self.pooled else features


@pytest.fixture
def vector(tmp_path):
    module = FeatureVector()
    tf.saved_model.save(module, str(tmp_path / "vector"))
    return module, tmp_path / "vector"


def random_pixels(size=32, count=2):
    return np.random.default_rng(0).uniform(0, 1, (count, size, size, 3)).astype(np.float32)


def test_a_feature_vector_comes_out_as_it_is_whatever_mode_the_model_is_in(vector):
    module, folder = vector
    network = saved_model.as_network(folder, 32)
    assert network.output_shape == (None, 1, 1, 5) and network.weights == []
    for training in (False, True):
        features = network(random_pixels(), training=training)
        np.testing.assert_allclose(features[:, 0, 0], module(random_pixels(), False), rtol=1e-5)


def test_a_module_that_does_not_tell_training_from_inference_is_taken_too(tmp_path):
    module, pictures = tf.Module(), tf.TensorSpec([None, 8, 8, 3])
    module.__call__ = tf.function(lambda x: tf.reduce_mean(x, [1, 2]), input_signature=[pictures])
    tf.saved_model.save(module, str(tmp_path))
    assert saved_model.as_network(tmp_path, 8).output_shape == (None, 1, 1, 3)


def test_a_map_stays_a_map(tmp_path):
    tf.saved_model.save(FeatureVector(pooled=False), str(tmp_path))
    assert saved_model.as_network(tmp_path, 32).output_shape == (None, 32, 32, 5)


def test_signatures_serve_where_it_cannot_be_called(tmp_path):
    network = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3)])
    network.export(str(tmp_path), verbose=False)
    wrapped = saved_model.as_network(tmp_path, 16)
    pixels = random_pixels(16)
    np.testing.assert_allclose(wrapped(pixels), network(pixels), atol=1e-6)
    with pytest.raises(ValueError, match=r"does not take pictures of 32 pixels.*image_size"):
        saved_model.as_network(tmp_path, 32)


def test_the_output_named_default_is_taken_out_of_several(tmp_path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "images")])
    def default(images):
        return {"block1": images, "default": tf.reduce_mean(images, [1, 2])}

    tf.saved_model.save(module, str(tmp_path), signatures={"default": default})
    assert saved_model.as_network(tmp_path, 8).output_shape == (None, 1, 1, 3)


def test_modules_of_tensorflow_hubs_first_format_are_taken_too(tmp_path):
    v1 = tf.compat.v1
    builder = v1.saved_model.Builder(str(tmp_path / "module"))
    for tags, offset in (([], 0.0), (["train"], 9.0)):
        with v1.Graph().as_default(), v1.Session() as session:
            images = v1.placeholder(tf.float32, [None, 16, 16, 3])
            kernel = v1.get_variable("kernel", initializer=2.0 * np.eye(3, dtype=np.float32))
            features = tf.reduce_mean(images, [1, 2]) @ kernel + offset
            session.run(v1.global_variables_initializer())
            signature = v1.saved_model.predict_signature_def({"x": images}, {"default": features})
            if tags:
                builder.add_meta_graph(tags, signature_def_map={"default": signature})
            else:
                builder.add_meta_graph_and_variables(
                    session, tags, signature_def_map={"default": signature}
                )
    builder.save()
    (tmp_path / "module" / "tfhub_module.pb").touch()
    network = saved_model.as_network(tmp_path / "module", 16)
    pixels = random_pixels(16)
    np.testing.assert_allclose(network(pixels)[:, 0, 0], 2.0 * pixels.mean(axis=(1, 2)), rtol=1e-5)


def saved(folder, spec, function):
    module = tf.Module()
    module.answer = tf.function(function, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.answer})
    return folder


def test_what_is_no_feature_vector_of_pictures_is_refused_by_name(tmp_path):
    pictures = tf.TensorSpec([None, None, None, 3])
    encoded = saved(tmp_path / "bytes", tf.TensorSpec([None], tf.string), tf.strings.length)
    with pytest.raises(ValueError, match=r"backbone\.weights: .*bytes does not take pictures"):
        saved_model.as_network(encoded, 32)
    scalar = saved(tmp_path / "scalar", pictures, lambda x: tf.reduce_mean(x, [1, 2, 3]))
    tokens = saved(tmp_path / "tokens", pictures, lambda x: x[:, 0])
    for neither in (scalar, tokens):
        says = rf"{neither.name} .*neither \[batch, features\] nor"
        with pytest.raises(ValueError, match=says):
            saved_model.as_network(neither, 32)
    other_size = saved(tmp_path / "size", pictures, lambda x: tf.reshape(x, [-1, 25 * 25 * 3]))
    with pytest.raises(ValueError, match="size does not take pictures of 32 pixels per side"):
        saved_model.as_network(other_size, 32)
    several = saved(tmp_path / "several", pictures, lambda x: {"a": x, "b": x})
    with pytest.raises(ValueError, match="several outputs: a, b"):
        saved_model.as_network(several, 32)
    tf.saved_model.save(tf.Module(), str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match="nothing is neither callable nor has a signature"):
        saved_model.as_network(tmp_path / "nothing", 32)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "saved_model.pb").write_bytes(b"broken")
    with pytest.raises(ValueError, match="broken cannot be loaded"):
        saved_model.as_network(tmp_path / "broken", 32)


@pytest.mark.slow
def test_it_is_trained_on_from_the_cache_and_its_export_needs_nothing_else(
    vector, analyzed, tmp_path
):
    _, folder = vector
    backbone = BackboneSettings(name="saved_model", weights=str(folder), image_size=32)
    model = build_classifier(backbone, HeadSettings(dropout=0.0), num_classes=3, steps=1)
    network = model.get_layer("backbone").network
    assert deepest_frozen_tensor(network, set()) is network.output

    training = TrainingSettings(
        batch_size=16,
        frozen={"epochs": 3, "learning_rate": 0.01},
        unfrozen=UnfrozenPhaseSettings(epochs=0),
    )
    output = tft.TFTransformOutput(analyzed.folder)
    splits = Splits([analyzed.file], 48, [analyzed.file], 48)
    reader = ExampleReader(output, 16)
    inputs = phase_inputs(model, training.phases, reader, splits, 2, 0, tmp_path)
    assert inputs["frozen"].model.input_shape == (None, 5), "trained on the kept features"
    (result,), _ = run_phases(model, inputs, training, 48, str(tmp_path), tmp_path)
    assert result.history["loss"][-1] < result.history["loss"][0]
    assert count_parameters(model).trainable == 5 * 3 + 3

    export(Scorer(model), output, ["a", "b", "c"], str(tmp_path / "served"))
    assert forbidden_operations(tmp_path / "served") == []
    ((pixels, _),) = ExampleReader(output, 48).view_batches([analyzed.file], 48)
    expected = tf.nn.softmax(model(pixels, training=False))
    shutil.rmtree(folder)
    loaded = tf.saved_model.load(str(tmp_path / "served"))
    images = tf.constant([image for image, _ in analyzed.pictures])
    served = loaded.signatures["serving_default"](images)["probabilities"]
    np.testing.assert_allclose(served, expected, atol=1e-5)
    assert np.ptp(served.numpy()[:, 0]) > 1e-3


def test_of_two_signatures_that_of_serving_is_asked(tmp_path):
    module = tf.Module()
    pictures = tf.TensorSpec([None, 8, 8, 3])
    module.maps = tf.function(lambda x: {"x": x}, input_signature=[pictures])
    module.means = tf.function(
        lambda x: {"x": tf.reduce_mean(x, [1, 2])}, input_signature=[pictures]
    )
    signatures = {"default": module.maps, "serving_default": module.means}
    tf.saved_model.save(module, str(tmp_path), signatures=signatures)
    assert saved_model.as_network(tmp_path, 8).output_shape == (None, 1, 1, 3)


def test_no_gradient_goes_through_it(vector):
    _, folder = vector
    network, pixels = saved_model.as_network(folder, 32), tf.constant(random_pixels())
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        features = network(pixels)
    assert tape.gradient(features, pixels) is None


def test_a_signature_that_takes_more_than_pictures_is_refused(tmp_path):
    module = tf.Module()
    specs = [tf.TensorSpec([None, 8, 8, 3], name="x"), tf.TensorSpec([None], name="y")]
    module.answer = tf.function(lambda x, y: {"z": x}, input_signature=specs)
    tf.saved_model.save(module, str(tmp_path), signatures={"default": module.answer})
    with pytest.raises(ValueError, match="has a signature default of 2 inputs, not of pictures"):
        saved_model.as_network(tmp_path, 8)


def test_it_computes_in_float32_also_under_mixed_precision(vector, mixed_precision):
    module, folder = vector
    network = saved_model.as_network(folder, 32)
    features = network(random_pixels())
    assert network.get_layer("features").compute_dtype == features.dtype == "float32"
    np.testing.assert_allclose(features[:, 0, 0], module(random_pixels(), False), rtol=1e-5)


def test_a_model_that_does_more_than_compute_is_not_loaded(tmp_path, monkeypatch):
    def answer(pixels):
        size = tf.strings.length(tf.io.read_file("/etc/hostname"))
        return tf.reduce_mean(pixels, [1, 2]) * tf.cast(size, tf.float32)

    saved(tmp_path / "model", tf.TensorSpec([None, 8, 8, 3]), answer)
    monkeypatch.setattr(tf.saved_model, "load", lambda *_: pytest.fail("loaded"))
    with pytest.raises(ValueError, match=r"backbone\.weights: .*ReadFile"):
        saved_model.as_network(tmp_path / "model", 8)


def test_why_it_cannot_be_loaded_is_told(vector, monkeypatch):
    def load(*_):
        raise OSError("variables.index\nis cut short")

    monkeypatch.setattr(tf.saved_model, "load", load)
    with pytest.raises(ValueError, match=r"/vector cannot be loaded \(variables\.index is cut sh"):
        saved_model.as_network(vector[1], 32)
