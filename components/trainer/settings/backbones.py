"""What each backbone expects. Importable without TensorFlow; `build` imports Keras."""

import dataclasses
import math

SAVED_MODEL = "saved_model"


@dataclasses.dataclass(frozen=True)
class Backbone:
    """One network of `keras.applications`, and what travels with it.

    Attributes:
        constructor: its name in `keras.applications`.
        size: pixels per side that its ImageNet weights were trained at.
        value_range: what its pixels look like, in Keras' words: `tf` is [-1, 1]; `torch` and
            `caffe` take ImageNet's mean off; `raw` is 0..255, the network rescales by itself.
            `unit` is [0, 1], as TensorFlow Hub has it.
        has_alpha: whether its width can be chosen.
        min_size: pixels per side below which nothing would be left of a picture.
        extra_rescaling: whether Keras puts one more layer into it for its ImageNet weights.
    """

    constructor: str
    size: int
    value_range: str
    has_alpha: bool = False
    min_size: int = 32
    extra_rescaling: bool = False


_EFFICIENTNET_SIZES = (224, 240, 260, 300, 380, 456, 528, 600)
_EFFICIENTNET_V2_SIZES = {
    "B0": 224,
    "B1": 240,
    "B2": 260,
    "B3": 300,
    "S": 384,
    "M": 480,
    "L": 480,
}

# Sizes and ranges are those of the docstrings of keras.applications.
BACKBONES = {
    "mobilenet_v2": Backbone("MobileNetV2", 224, "tf", has_alpha=True),
    "mobilenet_v3_large": Backbone("MobileNetV3Large", 224, "raw"),
    "mobilenet_v3_small": Backbone("MobileNetV3Small", 224, "raw"),
    "convnext_tiny": Backbone("ConvNeXtTiny", 224, "raw"),
    "convnext_small": Backbone("ConvNeXtSmall", 224, "raw"),
    "convnext_base": Backbone("ConvNeXtBase", 224, "raw"),
    "convnext_large": Backbone("ConvNeXtLarge", 224, "raw"),
    "densenet121": Backbone("DenseNet121", 224, "torch"),
    "densenet169": Backbone("DenseNet169", 224, "torch"),
    "densenet201": Backbone("DenseNet201", 224, "torch"),
    **{
        f"efficientnet_b{i}": Backbone(f"EfficientNetB{i}", size, "raw", extra_rescaling=True)
        for i, size in enumerate(_EFFICIENTNET_SIZES)
    },
    **{
        f"efficientnet_v2_{kind.lower()}": Backbone(f"EfficientNetV2{kind}", size, "raw")
        for kind, size in _EFFICIENTNET_V2_SIZES.items()
    },
    "inception_resnet_v2": Backbone("InceptionResNetV2", 299, "tf", min_size=75),
    "inception_v3": Backbone("InceptionV3", 299, "tf", min_size=75),
    "nasnet_large": Backbone("NASNetLarge", 331, "tf"),
    "nasnet_mobile": Backbone("NASNetMobile", 224, "tf"),
    "resnet50": Backbone("ResNet50", 224, "caffe"),
    "resnet101": Backbone("ResNet101", 224, "caffe"),
    "resnet152": Backbone("ResNet152", 224, "caffe"),
    "resnet50_v2": Backbone("ResNet50V2", 224, "tf"),
    "resnet101_v2": Backbone("ResNet101V2", 224, "tf"),
    "resnet152_v2": Backbone("ResNet152V2", 224, "tf"),
    "vgg16": Backbone("VGG16", 224, "caffe"),
    "vgg19": Backbone("VGG19", 224, "caffe"),
    "xception": Backbone("Xception", 299, "tf", min_size=71),
    # No network of Keras' own: see components/trainer/saved_model.py.
    SAVED_MODEL: Backbone("", 224, "unit"),
}


def build(name: str, alpha: float, image_size: int, weights: str | None):
    """Makes the network without its top.

    Args:
        name: key of `BACKBONES`, other than `saved_model`.
        alpha: width multiplier, for the networks that have one.
        image_size: pixels per side.
        weights: what `keras.applications` takes: "imagenet", or None for random weights. The
            layers are the same either way.

    Returns:
        A `keras.Model` from float32 [batch, size, size, 3] to float32 [batch, height, width,
        channels].
    """
    import keras

    backbone = BACKBONES[name]
    options = {"alpha": alpha} if backbone.has_alpha else {}
    constructor = getattr(keras.applications, backbone.constructor)
    shape = (image_size, image_size, 3)
    network = constructor(input_shape=shape, include_top=False, weights=weights, **options)
    if backbone.extra_rescaling and weights is None:
        network = _with_extra_rescaling(network)
    # Not through the constructor: some make the name of the file of weights out of it, and
    # EfficientNetV2 also which rescaling it puts in front.
    network.name = name
    return network


def _with_extra_rescaling(network):
    """The layers that Keras gives an EfficientNet for its ImageNet weights and for those only.

    They need the pixels divided by the root of ImageNet's deviation once more
    (tensorflow/tensorflow#49930). Weights that were saved from such a network and loaded into one
    without that layer would see other pixels than they have learned from.
    """
    import keras

    factors = [1.0 / math.sqrt(deviation) for deviation in (0.229, 0.224, 0.225)]

    def call(layer, *args, **kwargs):
        result = layer(*args, **kwargs)
        if isinstance(layer, keras.layers.Normalization):
            result = keras.layers.Rescaling(factors)(result)
        return result

    return keras.models.clone_model(network, call_function=call)


def settle(network) -> None:
    """Makes layers that compute something from their weights do so anew.

    Call it after `set_weights` or `assign`: Keras' Normalization keeps using what it computed
    before, and only Keras' own loading of files tells it.
    """
    for layer in network.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
