"""From an encoded picture to the pixels that a network takes.

Part of the Transform graph; the Trainer prepares a teacher's pictures with the same functions.
"""

from collections.abc import Sequence

import tensorflow as tf

from components import picture_formats
from components.settings import ValueRange

# ImageNet's mean and deviation, as keras.applications.imagenet_utils has them.
_TORCH_MEAN = [0.485, 0.456, 0.406]
_TORCH_DEVIATION = [0.229, 0.224, 0.225]
_CAFFE_MEAN_BGR = [103.939, 116.779, 123.68]


def decode(image: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
    """One encoded picture to float32 [*size, 3], 0..255 RGB; JPEG, PNG or a GIF's first frame."""
    known = picture_formats.only_known(image)
    decoded = tf.io.decode_image(known, channels=3, expand_animations=False)
    # Antialiased: a photo shrunk tenfold without it keeps one pixel in a hundred, which is noise.
    return tf.ensure_shape(tf.image.resize(decoded, size, antialias=True), [*size, 3])


def rescale(pixels: tf.Tensor, value_range: ValueRange) -> tf.Tensor:
    """float32 [size, size, 3], 0..255 RGB, to `value_range`."""
    if value_range == "tf":
        return pixels / 127.5 - 1.0
    if value_range == "torch":
        return (pixels / 255.0 - _TORCH_MEAN) / _TORCH_DEVIATION
    if value_range == "caffe":
        return pixels[..., ::-1] - _CAFFE_MEAN_BGR
    if value_range == "unit":
        return pixels / 255.0
    return pixels
