"""The one graph for pixels: what training, evaluation and serving apply to an encoded picture."""

import functools
from collections.abc import Callable

import tensorflow as tf
import tensorflow_transform as tft

from components import features
from components.pixels import decode, rescale
from components.settings import SETTINGS_KEY
from components.transform.augment import augment
from components.transform.config import AugmentationSettings, TransformSettings


def preprocessing_fn(inputs: dict[str, tf.Tensor], custom_config: dict) -> dict[str, tf.Tensor]:
    """Transforms a batch of examples (see `components.features`).

    Args:
        inputs: `image`, `image_id` and `label` string [batch], `view` int64 [batch], and more
            that is not looked at.
        custom_config: `settings` holds a `TransformSettings` as JSON.

    Returns:
        `image_xf` float32 [batch, size, size, 3] in the backbone's value range, and `label_xf`
        int64 [batch].
    """
    settings = TransformSettings.model_validate_json(custom_config[SETTINGS_KEY])
    size, view = settings.image_size, inputs[features.VIEW]
    # Several views of a picture in a batch are made of one decoded.
    images, place = tf.unique(inputs[features.IMAGE])
    pixels = tf.map_fn(
        _decoder(size),
        images,
        fn_output_signature=tf.TensorSpec([size, size, 3], tf.float32),
        parallel_iterations=16,
    )
    pixels = tf.cond(
        tf.size(images) < tf.size(place), lambda: tf.gather(pixels, place), lambda: pixels
    )
    if settings.augmentation.changes_pixels:
        image_hash = tf.strings.to_hash_bucket_fast(inputs[features.IMAGE_ID], 2**31 - 1)
        augmented = _augmenter(size, settings.augmentation, settings.seed)
        pixels = tf.cond(
            tf.reduce_any(view > 0),
            lambda: augmented(pixels, image_hash, view),
            lambda: pixels,
        )
    return {
        features.transformed_name(features.IMAGE): rescale(pixels, settings.value_range),
        features.transformed_name(features.LABEL): tft.compute_and_apply_vocabulary(
            inputs[features.LABEL], vocab_filename=features.LABEL_VOCABULARY
        ),
    }


@functools.cache
def _decoder(size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """`decode`, traced once: TFT traces `preprocessing_fn` half a dozen times."""
    return tf.function(
        lambda image: decode(image, [size, size]),
        autograph=False,
        input_signature=[tf.TensorSpec([], tf.string)],
    )


@functools.cache
def _augmenter(size: int, settings: AugmentationSettings, seed: int) -> Callable[..., tf.Tensor]:
    """`augment`, traced once as well."""
    number = tf.TensorSpec([None], tf.int64)
    return tf.function(
        lambda pixels, image_hash, view: augment(pixels, image_hash, view, settings, seed),
        autograph=False,
        input_signature=[tf.TensorSpec([None, size, size, 3]), number, number],
    )
