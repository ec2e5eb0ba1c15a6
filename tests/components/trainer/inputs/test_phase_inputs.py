"""What the phases train from: kept activations that stand for the pixels, in batches of a size."""

import itertools
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.errors import UserError
from components.trainer.inputs import activation_cache
from components.trainer.inputs import phase_inputs as phase_inputs_module
from components.trainer.inputs.phase_inputs import Splits, phase_inputs
from components.trainer.network.classifier import BackboneLayer, build_classifier, set_learning
from components.trainer.settings.trainer import (
    BackboneSettings,
    HeadSettings,
    PhaseSettings,
    TrainingSettings,
    UnfrozenPhaseSettings,
)
from tests import tiny_network

pytestmark = pytest.mark.slow

COUNT = 10
# At 64 px MobileNetV2 ends in 2 x 2 places.
BACKBONE = BackboneSettings(alpha=0.35, image_size=64, weights="glyphs")


def phases_of(fine_tune_at):
    training = TrainingSettings(
        batch_size=5,
        frozen=PhaseSettings(epochs=1),
        unfrozen=UnfrozenPhaseSettings(epochs=1, fine_tune_at=fine_tune_at, batch_size=3),
    )
    return training.phases


SPLITS = Splits(["train"], COUNT, ["validation"], COUNT)


def pixels_of(view, split="validation"):
    rng = np.random.default_rng([view, split == "train"])
    return rng.uniform(-1, 1, (COUNT, 64, 64, 3)).astype(np.float32)


class Reader:
    """Stands in for `ExampleReader`: noise, another for each view and split."""

    def __init__(self, batch_size):
        self.batch_size = batch_size

    def with_batch_size(self, batch_size):
        return Reader(batch_size)

    def view_batches(self, files, count, views=(0,)):
        labels = np.repeat(np.arange(COUNT, dtype=np.int64) % 3, len(views))
        (split,) = files
        pixels = np.concatenate(np.stack([pixels_of(view, split) for view in views], axis=1))
        rows = max(1, self.batch_size // len(views)) * len(views)
        return tf.data.Dataset.from_tensor_slices((pixels, labels)).batch(rows)

    def training_batches(self, files, count, seed, first_epoch=0, targets=None, own=0):
        return self.view_batches(files, count, [first_epoch + 1]).repeat()


@pytest.fixture(scope="module")
def model():
    """A classifier on a network of three layers, for what is no matter of the network."""
    backbone = BackboneSettings(image_size=64, weights="imagenet")  # not looked at
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(keras.applications, tiny_network.CONSTRUCTOR, tiny_network.build)
        return build_classifier(backbone, HeadSettings(), num_classes=3, steps=1)


PHASES = phases_of(2)


def inputs_of(model, views, folder):
    return phase_inputs(model, PHASES, Reader(7), SPLITS, views, 0, folder)


def test_a_deep_head_gives_on_kept_activations_what_it_gives_on_pixels(tmp_path):
    head = HeadSettings(pooling="flatten", hidden=[8, 4])
    model = build_classifier(BACKBONE, head, num_classes=3, steps=1)
    phases = phases_of(140)
    inputs = phase_inputs(model, phases, Reader(7), SPLITS, 2, 0, tmp_path)
    assert inputs["frozen"].model.input_shape == (None, 2 * 2 * 1280)
    direct = np.asarray(model(pixels_of(0), training=False))
    scale = np.abs(direct).max()
    assert scale > 0.01, "there is a signal to compare"
    for name, phase in phases.items():
        set_learning(model, phase)
        rest = inputs[name].model
        assert {id(w) for w in rest.trainable_weights} == {id(w) for w in model.trainable_weights}
        answers = [rest(x, training=False) for x, _ in inputs[name].validation]
        np.testing.assert_allclose(np.concatenate(answers), direct, atol=1e-2 * scale)
        if name == "frozen":
            counted = sum(int(np.prod(w.shape)) for w in rest.trainable_weights)
            assert counted == (5120 * 8 + 8) + (8 * 4 + 4) + (4 * 3 + 3)
    assert_own_batch_sizes(inputs)


def test_views_1_to_k_are_trained_on_and_validation_sees_view_0(model, tmp_path):
    views = 3
    network = model.get_layer("backbone").network
    inputs = inputs_of(model, views, tmp_path)
    (path,) = tmp_path.glob("train-frozen.f16")
    kept = np.memmap(path, np.float16, "r", shape=(views, COUNT, 8))
    for place, view in enumerate((1, 2, 3)):
        pooled = np.mean(network(pixels_of(view, "train"), training=False), axis=(1, 2))
        np.testing.assert_allclose(kept[place], pooled, atol=2e-3 * np.abs(pooled).max())
    pooled = np.mean(network(pixels_of(0), training=False), axis=(1, 2))
    validation = np.concatenate([x for x, _ in inputs["frozen"].validation])
    np.testing.assert_allclose(validation, pooled, atol=2e-3 * np.abs(pooled).max())


def test_what_has_been_encoded_needs_no_space_again(model, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        activation_cache, "require_space", lambda tensors, *limits: asked.append(limits)
    )
    orders = []
    for seed in (0, 1):
        inputs = phase_inputs(
            model, PHASES, Reader(7), SPLITS, 2, seed, tmp_path, reserved_bytes=77
        )
        orders.append([x.numpy().tolist() for x, _ in inputs["frozen"].training(0).take(2)])
    assert asked == [(3 * COUNT, tmp_path, 77), (0, tmp_path, 77)]
    assert orders[0] != orders[1], "the seed fixes the order"


def test_what_a_killed_encoding_left_is_gone_before_the_disk_is_asked(model, tmp_path, monkeypatch):
    for name in ("train-complete", "train-labels.npy", "validation-frozen.f16"):
        (tmp_path / name).touch()
    left = []

    def look(tensors, views, folder, reserved_bytes):
        left.extend(sorted(path.name for path in folder.iterdir()))
        assert views == COUNT
        raise UserError("enough was seen")

    monkeypatch.setattr(activation_cache, "require_space", look)
    with pytest.raises(UserError, match="enough was seen"):
        inputs_of(model, 2, tmp_path)
    assert left == ["train-complete", "train-labels.npy"], "the whole one stays"


def test_a_training_on_further_pictures_encodes_these_alone(model, tmp_path, monkeypatch):
    both = Splits(["train", "own"], 2 * COUNT, ["validation"], COUNT, own_count=COUNT)
    asked, kept = [], []
    monkeypatch.setattr(
        activation_cache, "require_space", lambda tensors, views, *_: asked.append(views)
    )
    for splits in (SPLITS, both):
        inputs = phase_inputs(model, PHASES, Reader(7), splits, 2, 0, tmp_path)
        kept.append(inputs["frozen"].kept)
    assert asked == [3 * COUNT, 2 * COUNT]
    first, second = (np.asarray(one["train"].activations) for one in kept)
    np.testing.assert_array_equal(second[:, :COUNT], first)
    pooled = model.get_layer("backbone").network(pixels_of(1, "own")).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(second[0, COUNT:], pooled, atol=2e-3 * np.abs(pooled).max())
    assert kept[1]["train"].labels.tolist() == [*kept[0]["train"].labels] * 2


@pytest.mark.parametrize("views", [None, 2])
def test_every_phase_multiplies_in_the_precision_of_the_training(
    views, model, tmp_path, monkeypatch
):
    precisions = []

    def noted(model, tensor, precision="float32"):
        precisions.append(precision)
        return model

    def encoded(name, graph, tensors, batches, views, count, folder):
        labels = np.zeros(count, np.int64)
        return {
            key: activation_cache.Cached(np.zeros((views, count, 1)), labels) for key in tensors
        }

    monkeypatch.setattr(phase_inputs_module, "tail_from", noted)
    monkeypatch.setattr(activation_cache, "encode", encoded)
    options = {"views": views, "seed": 0, "folder": tmp_path, "precision": "bf16"}
    phase_inputs(model, PHASES, Reader(7), SPLITS, **options)
    assert precisions == ["bf16"] * (1 if views is None else 2)


def test_a_later_phase_that_goes_deeper_trains_from_an_earlier_tensor(tmp_path):
    phases = [
        {"name": "head"},
        {"name": "head-again"},
        {"name": "top", "fine_tune_at": 140},
        {"name": "deeper", "fine_tune_at": 100},
        {"name": "top-again", "fine_tune_at": 140},
        {"name": "nearly-everything", "fine_tune_at": 5},
        {"name": "everything", "fine_tune_at": "all"},
    ]
    training = TrainingSettings(batch_size=5, phases=phases)
    model = build_classifier(BACKBONE, HeadSettings(), num_classes=3, steps=1)
    inputs = phase_inputs(model, training.phases, Reader(7), SPLITS, 2, 0, tmp_path)
    assert set(inputs) == set(training.phases)
    shapes = {name: phase_input.model.input_shape for name, phase_input in inputs.items()}
    assert shapes["head"] == (None, 1280)
    assert shapes["top-again"] == shapes["deeper"] != shapes["top"], "learned layers are no prefix"
    assert shapes["everything"] == model.input_shape
    assert shapes["nearly-everything"] == model.input_shape, "no wider tensor than pixels is kept"
    files = {path.name for path in tmp_path.glob("train-*.f16")}
    assert files == {"train-head.f16", "train-top.f16", "train-deeper.f16"}, "none is kept twice"
    direct = np.asarray(model(pixels_of(0), training=False))
    for name in training.phases:
        answers = [inputs[name].model(x, training=False) for x, _ in inputs[name].validation]
        np.testing.assert_allclose(
            np.concatenate(answers), direct, atol=1e-2 * np.abs(direct).max()
        )


def test_what_is_kept_goes_on_with_the_epoch_that_is_asked_for(model, tmp_path):
    inputs = inputs_of(model, 2, tmp_path)

    def activations(first, steps):  # two batches of five are an epoch
        batches = inputs["frozen"].training(first).take(steps)
        return [x.numpy().tolist() for x, _ in batches]

    assert activations(1, 2) == activations(0, 4)[2:] != activations(0, 2)


def test_a_single_view_is_kept_too(model, tmp_path):
    inputs = inputs_of(model, 1, tmp_path)
    assert inputs["frozen"].kept["train"].activations.shape[:2] == (1, COUNT)


def test_a_tensor_that_is_as_large_as_the_pixels_is_not_kept(tmp_path):
    pixels = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(3, 1, name="as_large")(pixels)
    network = keras.Model(pixels, keras.layers.Conv2D(2, 1, name="top")(x))
    inputs = keras.Input((4, 4, 3))
    x = BackboneLayer(network, name="backbone")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pooling")(x)
    classifier = keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))
    phases = TrainingSettings(phases=[{"name": "top", "fine_tune_at": "top"}]).phases
    assert phase_inputs_module._tensors_to_keep(classifier, phases) == {}


def test_fresh_views_come_in_the_batches_of_the_phase(model, tmp_path):
    assert_own_batch_sizes(inputs_of(model, None, tmp_path))


def test_fresh_views_of_what_a_model_labelled_are_mixed_with_the_others():
    asked = []
    reader = SimpleNamespace(
        with_batch_size=lambda size: reader,
        training_batches=lambda *given: asked.append(given),
        view_batches=lambda *_: None,
    )
    splits = Splits(["train", "own"], 12, ["validation"], COUNT, "targets", own_count=2)
    phase_inputs_module.direct_input(None, reader, splits, 5, 7).training(3)
    assert asked == [(["train", "own"], 12, 7, 3, "targets", 2)]


def assert_own_batch_sizes(inputs):
    def sizes(batches, number):
        return [len(labels) for _, labels in itertools.islice(batches, number)]

    assert sizes(inputs["frozen"].training(0), 3) == [5, 5, 5]
    assert sizes(inputs["unfrozen"].training(0), 5) == [3, 3, 3, 1, 3]
    assert sizes(inputs["unfrozen"].validation, 9) == [3, 3, 3, 1]
