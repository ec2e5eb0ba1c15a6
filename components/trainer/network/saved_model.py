"""A SavedModel, as TensorFlow Hub has them, in the place of a backbone. It never learns."""

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from components.errors import UserError
from components.graph_check import require_computing
from components.text import one_line
from components.trainer.settings.backbones import SAVED_MODEL_BACKBONE

# TensorFlow Serving's word, and TensorFlow Hub's.
_SIGNATURES = ("serving_default", "default")
_HUB_1 = "tfhub_module.pb"


class SavedModelLayer(keras.layers.Layer):
    """Asks a loaded SavedModel for the features of pictures.

    Attributes:
        loaded: what `tf.saved_model.load` gave; who exports the layer must keep track of it.
    """

    def __init__(self, loaded, image_size: int, **kwargs):
        # float32 also under mixed precision: that is what the SavedModel was traced for.
        super().__init__(dtype="float32", trainable=False, **kwargs)
        self.loaded = loaded
        self._features, self._shape = _feature_function(loaded, image_size)

    def call(self, pixels):
        features = tf.cast(self._features(pixels), tf.float32)
        features = tf.ensure_shape(features, [None, *self._shape])
        if len(self._shape) == 1:  # pooled already: a map of one point, so that any head fits
            features = features[:, tf.newaxis, tf.newaxis]
        return tf.stop_gradient(features)


def as_network(folder: Path, image_size: int) -> keras.Model:
    """Wraps a SavedModel into a network like those of `keras.applications`.

    Args:
        folder: of the SavedModel: callable with float32 [batch, size, size, 3], 0..1, or with a
            signature `serving_default` or `default` that takes those.
        image_size: pixels per side.

    Returns:
        A model from float32 [batch, size, size, 3] to float32 [batch, height, width, channels].

    Raises:
        UserError: it can do more than compute, cannot be loaded, or does not give feature vectors
            or maps of pictures.
    """
    require_computing("backbone.weights", folder)
    try:
        # TensorFlow Hub's first format has a graph for training beside the one without tags.
        tags = [] if (folder / _HUB_1).exists() else None
        loaded = tf.saved_model.load(str(folder), tags)
    except Exception as error:  # OSError, ValueError, tf.errors.…: damaged files raise them all
        raise UserError(
            f"backbone.weights: {folder} cannot be loaded ({one_line(error)})"
        ) from error
    try:
        layer = SavedModelLayer(loaded, image_size, name="features")
    except ValueError as error:
        raise UserError(f"backbone.weights: {folder} {error}") from error
    pixels = keras.Input((image_size, image_size, 3))
    return keras.Model(pixels, layer(pixels), name=SAVED_MODEL_BACKBONE)


def loaded_parts(model: keras.Model) -> list:
    """What an export of the model must keep track of beside its weights."""
    return [layer.loaded for layer in model._flatten_layers() if isinstance(layer, SavedModelLayer)]


def _feature_function(loaded, image_size: int) -> tuple[Callable, list[int]]:
    """A function from pictures to features, and the shape of those of one picture.

    It is traced and asked once here, with two black pictures: only a trace finds pictures of the
    wrong size, only an answer has a shape without unknowns.
    """
    signatures = [name for name in _SIGNATURES if name in getattr(loaded, "signatures", {})]
    if callable(loaded):  # not all of them tell training from inference
        candidates = [lambda pixels: loaded(pixels, training=False), loaded]
    elif signatures:
        candidates = [_of_signature(loaded.signatures[signatures[0]], signatures[0])]
    else:
        raise UserError("is neither callable nor has a signature " + " or ".join(_SIGNATURES))
    batch = tf.TensorSpec([None, image_size, image_size, 3])
    errors = []
    for candidate in candidates:
        try:
            concrete = tf.function(candidate).get_concrete_function(batch)
            features = concrete(tf.zeros([2, *batch.shape[1:]]))
        except (TypeError, ValueError, tf.errors.OpError) as error:
            errors.append(one_line(error))
            continue
        if not tf.is_tensor(features) or len(features.shape) not in (2, 4):
            errors.append("gives neither [batch, features] nor [batch, height, width, channels]")
            continue
        return candidate, features.shape.as_list()[1:]
    raise UserError(
        f"does not take pictures of {image_size} pixels per side (backbone.image_size), float32 in "
        f"[0, 1]: {errors[-1]}"
    )


def _of_signature(signature, name: str) -> Callable:
    inputs = list(signature.structured_input_signature[1])
    outputs = sorted(signature.structured_outputs)
    if len(inputs) != 1:
        raise UserError(f"has a signature {name} of {len(inputs)} inputs, not of pictures alone")
    # TensorFlow Hub's older modules give every layer, and name the features `default`.
    output = "default" if "default" in outputs else outputs[0]
    if len(outputs) > 1 and output != "default":
        raise UserError(f"has a signature {name} of several outputs: {', '.join(outputs)}")
    return lambda pixels: signature(**{inputs[0]: pixels})[output]
