"""From an encoded picture to the pixels that a network takes.

Part of the Transform graph; the Trainer prepares a teacher's pictures with the same functions.
"""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from components import exif, picture_formats
from components.settings import ValueRange

# ImageNet's mean and deviation, as keras.applications.imagenet_utils has them.
_TORCH_MEAN = [0.485, 0.456, 0.406]
_TORCH_DEVIATION = [0.229, 0.224, 0.225]
_CAFFE_MEAN_BGR = [103.939, 116.779, 123.68]


def decode(image: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
    """One encoded picture, upright, to float32 [*size, 3], 0..255 RGB.

    It is a JPEG, a PNG or a GIF, of which the first frame is taken.
    """
    image = picture_formats.only_known(image)
    stored = exif.orientation(image)
    # Resized as it is stored, then turned: that turns the fewest pixels.
    stored_size = tf.where(exif.swaps_sides(stored), size[::-1], size)
    decoded = tf.cond(
        picture_formats.has_format(image, "JPEG"),
        lambda: _decode_jpeg(image, stored_size),
        lambda: tf.io.decode_image(image, channels=3, expand_animations=False),
    )
    # Antialiased: a photo shrunk tenfold without it keeps one pixel in a hundred, which is noise.
    resized = tf.image.resize(decoded, stored_size, antialias=True)
    return tf.ensure_shape(exif.upright(resized, stored), [*size, 3])


def _decode_jpeg(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """A JPEG at 1/8, 1/4 or 1/2 where that leaves at least twice `size`, else whole.

    libjpeg then computes fewer pixels from the start. Once resized to 160, those of a photo of 12
    megapixels differ by 0.2 of 255 on average; with libjpeg's quicker, less accurate transform,
    which is TensorFlow's default, by 0.9, since the scaled ones are always computed accurately.

    Args:
        image: string [].
        size: int32 [2], height and width that it will be resized to.

    Returns:
        uint8 [height, width, 3].
    """
    fits = tf.reduce_min(tf.io.extract_jpeg_shape(image)[:2] // (2 * size))
    return tf.switch_case(
        tf.reduce_sum(tf.cast(fits >= picture_formats.JPEG_RATIOS[1:], tf.int32)),
        [
            functools.partial(
                tf.io.decode_jpeg, image, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
            )
            for ratio in picture_formats.JPEG_RATIOS
        ],
    )


def rescale(pixels: tf.Tensor, value_range: ValueRange) -> tf.Tensor:
    """float32 [..., 3], 0..255 RGB, to `value_range`."""
    if value_range == "tf":
        return pixels / 127.5 - 1.0
    if value_range == "torch":
        return (pixels / 255.0 - _TORCH_MEAN) / _TORCH_DEVIATION
    if value_range == "caffe":
        return pixels[..., ::-1] - _CAFFE_MEAN_BGR
    if value_range == "unit":
        return pixels / 255.0
    return pixels


def undo_rescale(pixels: np.ndarray, value_range: ValueRange) -> np.ndarray:
    """float32 [..., 3] in `value_range`, to 0..255 RGB: the inverse of `rescale`."""
    if value_range == "tf":
        return (pixels + 1.0) * 127.5
    if value_range == "torch":
        return (pixels * _TORCH_DEVIATION + _TORCH_MEAN) * 255.0
    if value_range == "caffe":
        return (pixels + _CAFFE_MEAN_BGR)[..., ::-1]
    if value_range == "unit":
        return pixels * 255.0
    return pixels
