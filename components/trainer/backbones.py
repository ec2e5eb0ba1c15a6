"""What each backbone expects. Importable without TensorFlow; `build` imports Keras."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Backbone:
    """One network of `keras.applications`, and what travels with it.

    Attributes:
        constructor: its name in `keras.applications`.
        size: pixels per side that its ImageNet weights were trained at.
        value_range: what its pixels look like, in Keras' words: `tf` is [-1, 1]; `torch` and
            `caffe` take ImageNet's mean off; `raw` is 0..255, the network rescales by itself.
        has_alpha: whether its width can be chosen.
    """

    constructor: str
    size: int
    value_range: str
    has_alpha: bool = False


# Sizes and ranges are those of the docstrings of keras.applications.
BACKBONES = {
    "mobilenet_v2": Backbone("MobileNetV2", 224, "tf", has_alpha=True),
    "convnext_tiny": Backbone("ConvNeXtTiny", 224, "raw"),
    "densenet121": Backbone("DenseNet121", 224, "torch"),
    "efficientnet_b0": Backbone("EfficientNetB0", 224, "raw"),
    "efficientnet_v2_b0": Backbone("EfficientNetV2B0", 224, "raw"),
    "inception_v3": Backbone("InceptionV3", 299, "tf"),
    "nasnet_mobile": Backbone("NASNetMobile", 224, "tf"),
    "resnet50": Backbone("ResNet50", 224, "caffe"),
    "resnet50_v2": Backbone("ResNet50V2", 224, "tf"),
    "xception": Backbone("Xception", 299, "tf"),
}


def build(name: str, alpha: float, image_size: int, weights: str | None):
    """Makes the network without its top.

    Args:
        name: key of `BACKBONES`.
        alpha: width multiplier, for the networks that have one.
        image_size: pixels per side.
        weights: what `keras.applications` takes: "imagenet", or None for random weights.

    Returns:
        A `keras.Model` from float32 [batch, size, size, 3] to float32 [batch, height, width,
        channels].
    """
    import keras

    backbone = BACKBONES[name]
    options = {"alpha": alpha} if backbone.has_alpha else {}
    constructor = getattr(keras.applications, backbone.constructor)
    shape = (image_size, image_size, 3)
    return constructor(input_shape=shape, include_top=False, weights=weights, name=name, **options)
