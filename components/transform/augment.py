"""Augmentation as a pure function of (picture, view).

Every random number comes from `tf.random.stateless_uniform`, so the result depends on nothing but
the arguments: not on the process, the worker, the order or the epoch.
"""

import math

import tensorflow as tf

from components.transform.config import AugmentationSettings

# Draws per picture; each setting owns one, so switching one on leaves the others' draws alone.
_DRAWS = (
    "flip_x",
    "flip_y",
    "rotation",
    "shift_x",
    "shift_y",
    "shear",
    "zoom_x",
    "zoom_y",
    "brightness",
    "contrast",
)


def augment(
    pixels: tf.Tensor,
    image_hash: tf.Tensor,
    view: tf.Tensor,
    settings: AugmentationSettings,
    seed: int,
):
    """Gives the `view`-th augmentation of a picture.

    Args:
        pixels: float32 [height, width, 3], 0..255.
        image_hash: int64 scalar that identifies the picture.
        view: int64 scalar, which of its augmentations.
        settings: ranges of the random changes.
        seed: seed of the recipe.

    Returns:
        float32 [height, width, 3], 0..255.
    """
    key = tf.random.experimental.stateless_fold_in(
        tf.stack([image_hash, tf.constant(seed, tf.int64)]), view
    )
    u = dict(
        zip(
            _DRAWS,
            tf.unstack(tf.random.stateless_uniform([len(_DRAWS)], key, -1.0, 1.0)),
            strict=True,
        )
    )
    if _moves_pixels(settings):
        pixels = _warp(pixels, u, settings)
    if settings.contrast:
        mean = tf.reduce_mean(pixels, axis=[0, 1], keepdims=True)
        pixels = (pixels - mean) * (1.0 + settings.contrast * u["contrast"]) + mean
    if settings.brightness:
        pixels += 255.0 * settings.brightness * u["brightness"]
    return tf.clip_by_value(pixels, 0.0, 255.0)


def _moves_pixels(s: AugmentationSettings) -> bool:
    return bool(
        s.horizontal_flip
        or s.vertical_flip
        or s.rotation
        or s.width_shift
        or s.height_shift
        or s.shear
        or s.zoom
    )


def _warp(pixels: tf.Tensor, u: dict[str, tf.Tensor], s: AugmentationSettings) -> tf.Tensor:
    """One resampling for all the geometric changes: blurs less than one after the other."""
    shape = tf.shape(pixels)
    height, width = tf.cast(shape[0], tf.float32), tf.cast(shape[1], tf.float32)

    # The matrix takes a point of the result, measured from the centre, to a point of the source.
    angle = 2.0 * math.pi * s.rotation * u["rotation"]
    shear = math.pi / 180.0 * s.shear * u["shear"]
    rotate = _matrix(tf.cos(angle), -tf.sin(angle), tf.sin(angle), tf.cos(angle))
    slant = _matrix(1.0, -tf.sin(shear), 0.0, tf.cos(shear))
    flip_x = tf.where(u["flip_x"] < 0.0, -1.0, 1.0) if s.horizontal_flip else 1.0
    flip_y = tf.where(u["flip_y"] < 0.0, -1.0, 1.0) if s.vertical_flip else 1.0
    scale = _matrix(
        flip_x * (1.0 + s.zoom * u["zoom_x"]), 0.0, 0.0, flip_y * (1.0 + s.zoom * u["zoom_y"])
    )
    matrix = rotate @ slant @ scale

    centre = tf.stack([(width - 1.0) / 2.0, (height - 1.0) / 2.0])
    shift = tf.stack([s.width_shift * width * u["shift_x"], s.height_shift * height * u["shift_y"]])
    offset = centre + shift - tf.linalg.matvec(matrix, centre)
    transform = tf.stack(
        [matrix[0, 0], matrix[0, 1], offset[0], matrix[1, 0], matrix[1, 1], offset[1], 0.0, 0.0]
    )
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels[tf.newaxis],
        transforms=transform[tf.newaxis],
        output_shape=shape[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=s.fill_mode.upper(),
    )[0]
    return tf.ensure_shape(warped, pixels.shape)


def _matrix(a, b, c, d) -> tf.Tensor:
    """float32 [2, 2]."""
    return tf.stack([tf.stack([a, b]), tf.stack([c, d])])
