"""The networks of `keras.applications`, without their tops. Keras is imported when one is built."""

import math

from components.trainer.settings.backbones import BACKBONES


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


def finalize_state(network) -> None:
    """Recomputes what layers such as Normalization derive from their weights.

    Call it after `set_weights` or `assign`: Keras' Normalization keeps using what it computed
    before, and only Keras' own loading of files tells it.
    """
    for layer in network.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
