"""What each backbone expects. Importable without TensorFlow."""

import dataclasses

from components.settings import ValueRange

SAVED_MODEL_BACKBONE = "saved_model"


@dataclasses.dataclass(frozen=True)
class Backbone:
    """One network of `keras.applications`, and what travels with it.

    Attributes:
        constructor: its name in `keras.applications`.
        size: pixels per side that its ImageNet weights were trained at.
        value_range: of its pixels; of `raw` ones the network rescales them by itself.
        has_alpha: whether its width can be chosen.
        min_size: pixels per side below which nothing would be left of a picture.
        extra_rescaling: whether Keras puts one more layer into it for its ImageNet weights.
    """

    constructor: str
    size: int
    value_range: ValueRange
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
    # No network of Keras' own: see components/trainer/network/saved_model.py.
    SAVED_MODEL_BACKBONE: Backbone("", 224, "unit"),
}
