"""Every recipe that comes with Graft trains: one step of each of its phases on made-up pictures.

Pictures are smaller and weights random; network, head, loss, optimizer and what learns are the
recipe's own.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.fitting.phases import run_phases
from components.trainer.inputs import constant_graph
from components.trainer.inputs.phase_inputs import Splits, phase_inputs
from components.trainer.network import keras_applications
from components.trainer.network.classifier import build_classifier
from components.trainer.settings.backbones import BACKBONES
from pipeline.config import load_recipe, recipe_names

pytestmark = pytest.mark.slow

COUNT = 4
CLASSES = {"digits": 10, "mnist": 10, "fruits": 120}  # of the others: 2
# One logit for two classes, unless the recipe says softmax.
OUTPUTS = {
    "cats_and_dogs": 1,
    "cats_and_dogs_hub": 1,
    "cats_and_dogs_inception": 2,
    "cats_and_dogs_nasnet": 1,
    "digits": 10,
    "fruits": 120,
    "hotdog": 2,
    "hotdog_from_scratch": 2,
    "mnist": 10,
    "photos": 1,
}


class Pictures:
    """Stands in for `ExampleReader`: noise, the labels spread over the classes."""

    def __init__(self, size, num_classes, batch_size=COUNT):
        self._size, self._num_classes, self._batch_size = size, num_classes, batch_size

    def with_batch_size(self, batch_size):
        return Pictures(self._size, self._num_classes, batch_size)

    def training_batches(self, files, count, seed, first_epoch=0, targets=None, own=0):
        assert targets is None
        return self.view_batches(files, count, [first_epoch + 1]).repeat()

    def view_batches(self, files, count, views=(0,)):
        labels = np.linspace(0, self._num_classes - 1, count).astype(np.int64)
        shape = (count * len(views), self._size, self._size, 3)
        pixels = np.random.default_rng(views[0]).uniform(-1, 1, shape).astype(np.float32)
        batches = tf.data.Dataset.from_tensor_slices((pixels, np.repeat(labels, len(views))))
        return batches.batch(max(1, self._batch_size // len(views)) * len(views))


@pytest.fixture(scope="module")
def feature_vector(tmp_path_factory):
    """A folder with a SavedModel in the place of the one on TensorFlow Hub."""
    module = tf.Module()
    module.kernel = tf.Variable(tf.random.stateless_normal([3, 8], [1, 2]))

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def features(images):
        return tf.reduce_mean(images, [1, 2]) @ module.kernel

    module.__call__ = features
    folder = str(tmp_path_factory.mktemp("feature_vector"))
    tf.saved_model.save(module, folder, signatures={"default": features})
    return folder


@pytest.fixture(scope="module")
def quick():
    """No downloads, no network built twice, no graphs: one step does not pay for tracing."""
    build = functools.cache(
        functools.partial(lambda build, *args: build(*args[:3], None), keras_applications.build)
    )
    tf.config.run_functions_eagerly(True)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(keras_applications, "build", build)
        monkeypatch.setattr(
            constant_graph,
            "inference",
            lambda network: functools.partial(network, training=False),
        )
        yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.filterwarnings("ignore:.*run_functions_eagerly")
@pytest.mark.parametrize("name", recipe_names())
def test_every_phase_of_a_recipe_trains(name, quick, feature_vector, tmp_path):
    size = BACKBONES[load_recipe(name).backbone.name].min_size
    changes = [f"backbone.image_size={size}"]
    changes += [
        f"training.{phase}.{key}"
        for phase in load_recipe(name).training.phases
        for key in ("epochs=1", "warmup_epochs=0", f"batch_size={COUNT}")
    ]
    if load_recipe(name).backbone.is_saved_model:
        changes.append(f"backbone.weights={feature_vector}")
    recipe = load_recipe(name, changes)
    num_classes = CLASSES.get(name, 2)

    model = build_classifier(recipe.backbone, recipe.head, num_classes, steps=2)
    assert model.output_shape == (None, OUTPUTS[name])
    before = model.get_weights()
    settings = recipe.trainer
    inputs = phase_inputs(
        model,
        settings.training.phases,
        Pictures(size, num_classes),
        Splits([], COUNT, [], COUNT),
        settings.views,
        settings.seed,
        tmp_path,
    )
    results, _ = run_phases(model, inputs, settings.training, COUNT, str(tmp_path), tmp_path)
    assert [result.name for result in results] == list(settings.training.phases)
    assert all(np.isfinite(result.val_loss) for result in results)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
