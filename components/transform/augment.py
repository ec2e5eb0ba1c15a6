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
    """Gives an augmentation of each picture of a batch.

    Args:
        pixels: float32 [batch, height, width, 3], 0..255.
        image_hash: int64 [batch], identifies the picture.
        view: int64 [batch], which of its augmentations; 0: the picture as it is.
        settings: ranges of the random changes.
        seed: seed of the recipe.

    Returns:
        float32 [batch, height, width, 3], 0..255.
    """
    u = _draw(image_hash, view, seed)
    if _moves_pixels(settings):
        pixels = _warp(pixels, u, settings)
    if settings.contrast:
        mean = tf.reduce_mean(pixels, axis=[1, 2], keepdims=True)
        pixels += (pixels - mean) * settings.contrast * _per_picture(u["contrast"])
    if settings.brightness:
        pixels += 255.0 * settings.brightness * _per_picture(u["brightness"])
    return tf.clip_by_value(pixels, 0.0, 255.0)


def _draw(image_hash: tf.Tensor, view: tf.Tensor, seed: int) -> dict[str, tf.Tensor]:
    """Random numbers in [-1, 1) by name, float32 [batch] each; for view 0 all are 0."""

    def draw(of_picture: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        hashed, number = of_picture
        key = tf.random.experimental.stateless_fold_in(
            tf.stack([hashed, tf.constant(seed, tf.int64)]), number
        )
        return tf.random.stateless_uniform([len(_DRAWS)], key, -1.0, 1.0)

    # A seed of its own for each picture is what TensorFlow has no batched form of.
    numbers = tf.map_fn(
        draw,
        (image_hash, view),
        fn_output_signature=tf.TensorSpec([len(_DRAWS)], tf.float32),
        parallel_iterations=16,
    )
    numbers = tf.where(view[:, tf.newaxis] > 0, numbers, 0.0)
    return dict(zip(_DRAWS, tf.unstack(numbers, axis=1), strict=True))


def _per_picture(numbers: tf.Tensor) -> tf.Tensor:
    """float32 [batch] to [batch, 1, 1, 1], which goes with pixels."""
    return numbers[:, tf.newaxis, tf.newaxis, tf.newaxis]


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
    height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)

    # The matrix takes a point of the result, measured from the centre, to a point of the source.
    angle = 2.0 * math.pi * s.rotation * u["rotation"]
    shear = math.pi / 180.0 * s.shear * u["shear"]
    one, zero = tf.ones_like(angle), tf.zeros_like(angle)
    rotate = _matrix(tf.cos(angle), -tf.sin(angle), tf.sin(angle), tf.cos(angle))
    slant = _matrix(one, -tf.sin(shear), zero, tf.cos(shear))
    flip_x = tf.where(u["flip_x"] < 0.0, -1.0, 1.0) if s.horizontal_flip else one
    flip_y = tf.where(u["flip_y"] < 0.0, -1.0, 1.0) if s.vertical_flip else one
    scale = _matrix(
        flip_x * (1.0 + s.zoom * u["zoom_x"]), zero, zero, flip_y * (1.0 + s.zoom * u["zoom_y"])
    )
    matrix = rotate @ slant @ scale

    centre = tf.stack([(width - 1.0) / 2.0, (height - 1.0) / 2.0])
    shift = tf.stack(
        [s.width_shift * width * u["shift_x"], s.height_shift * height * u["shift_y"]], axis=1
    )
    offset = centre + shift - tf.linalg.matvec(matrix, centre)
    transforms = tf.stack(
        [
            *(matrix[:, 0, 0], matrix[:, 0, 1], offset[:, 0]),
            *(matrix[:, 1, 0], matrix[:, 1, 1], offset[:, 1]),
            *(zero, zero),
        ],
        axis=1,
    )
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=transforms,
        output_shape=shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=s.fill_mode.upper(),
    )
    return tf.ensure_shape(warped, pixels.shape)


def _matrix(a: tf.Tensor, b: tf.Tensor, c: tf.Tensor, d: tf.Tensor) -> tf.Tensor:
    """float32 [batch, 2, 2] of its four elements, float32 [batch] each."""
    return tf.stack([tf.stack([a, b], axis=1), tf.stack([c, d], axis=1)], axis=1)
