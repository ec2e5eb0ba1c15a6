"""What each backbone expects. Importable without TensorFlow; `build` imports Keras."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Backbone:
    """One network of `keras.applications`.

    Attributes:
        constructor: its name in `keras.applications`.
        layers: how many Keras layers it has without its top.
        value_range: what its pixels look like; `tf` is [-1, 1].
    """

    constructor: str
    layers: int
    value_range: str


BACKBONES = {"mobilenet_v2": Backbone("MobileNetV2", layers=154, value_range="tf")}


def build(name: str, alpha: float, image_size: int, weights: str | None):
    """Makes the network without its top.

    Args:
        name: key of `BACKBONES`.
        alpha: width multiplier.
        image_size: pixels per side.
        weights: what `keras.applications` takes: "imagenet", a path, or None for random weights.

    Returns:
        A `keras.Model` from float32 [batch, size, size, 3] to float32 [batch, height, width,
        channels].
    """
    import keras

    constructor = getattr(keras.applications, BACKBONES[name].constructor)
    return constructor(
        input_shape=(image_size, image_size, 3),
        alpha=alpha,
        include_top=False,
        weights=weights,
        name=name,
    )
