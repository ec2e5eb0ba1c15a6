"""The one graph for pixels: what training, evaluation and serving apply to an encoded picture."""

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_transform as tft

from components import features
from components.transform.augment import augment
from components.transform.config import TransformSettings

SETTINGS = "settings"

# ImageNet's mean and deviation, as keras.applications.imagenet_utils has them.
_TORCH_MEAN = [0.485, 0.456, 0.406]
_TORCH_DEVIATION = [0.229, 0.224, 0.225]
_CAFFE_MEAN_BGR = [103.939, 116.779, 123.68]


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
    settings = TransformSettings.model_validate_json(custom_config[SETTINGS])
    image_hash = tf.strings.to_hash_bucket_fast(inputs[features.IMAGE_ID], 2**31 - 1)
    size = settings.image_size
    pixels = tf.map_fn(
        lambda one: _prepare(*one, settings),
        (inputs[features.IMAGE], image_hash, inputs[features.VIEW]),
        fn_output_signature=tf.TensorSpec([size, size, 3], tf.float32),
        parallel_iterations=16,
    )
    return {
        features.transformed_name(features.IMAGE): pixels,
        features.transformed_name(features.LABEL): tft.compute_and_apply_vocabulary(
            inputs[features.LABEL], vocab_filename=features.LABEL_VOCABULARY
        ),
    }


def _prepare(
    image: tf.Tensor, image_hash: tf.Tensor, view: tf.Tensor, settings: TransformSettings
) -> tf.Tensor:
    """One encoded picture to float32 [size, size, 3] in the backbone's value range."""
    pixels = decode(image, [settings.image_size, settings.image_size])
    pixels = tf.cond(
        view > 0,
        lambda: augment(pixels, image_hash, view, settings.augmentation, settings.seed),
        lambda: pixels,
    )
    return rescale(pixels, settings.value_range)


def decode(image: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
    """One encoded picture to float32 [*size, 3], 0..255 RGB."""
    decoded = tf.io.decode_image(image, channels=3, expand_animations=False)
    # Antialiased: a photo shrunk tenfold without it keeps one pixel in a hundred, which is noise.
    return tf.ensure_shape(tf.image.resize(decoded, size, antialias=True), [*size, 3])


def rescale(pixels: tf.Tensor, value_range: str) -> tf.Tensor:
    """float32 [size, size, 3], 0..255 RGB, to a range in the words of `keras.applications`."""
    if value_range == "tf":
        return pixels / 127.5 - 1.0
    if value_range == "torch":
        return (pixels / 255.0 - _TORCH_MEAN) / _TORCH_DEVIATION
    if value_range == "caffe":
        return pixels[..., ::-1] - _CAFFE_MEAN_BGR
    if value_range == "unit":
        return pixels / 255.0
    return pixels
