"""The classifier: a pretrained backbone under a linear head, and which of its layers learn."""

import dataclasses
import math

import keras

from components.trainer import initial_weights
from components.trainer.config import BackboneSettings, HeadSettings


@keras.saving.register_keras_serializable(package="graft")
class BackboneLayer(keras.layers.Layer):
    """Runs a network with its BatchNorm in inference mode, whatever mode the model around it is in.

    Keras 3 passes an outer model's `training=True` into a nested model even where that was called
    with `training=False` (keras-team/keras#20285), and the moving statistics of a pretrained
    network then drift away on a few hundred pictures. A network trained from scratch is the
    exception: it needs to learn them.
    """

    def __init__(self, network: keras.Model, train_normalization: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.network = network
        self.train_normalization = train_normalization

    def call(self, pixels, training=False):
        return self.network(pixels, training=bool(training) and self.train_normalization)


def build_classifier(
    backbone: BackboneSettings, head: HeadSettings, num_classes: int, steps: int
) -> keras.Model:
    """Builds the network with its initial weights.

    Args:
        backbone: which network and which weights.
        head: what sits on it.
        num_classes: at least 2.
        steps: optimizer steps of the whole training; BatchNorm from scratch must arrive in them.

    Returns:
        A model from float32 [batch, size, size, 3] in the backbone's range to logits float32
        [batch, 1] (two classes: that of the second one) or [batch, num_classes].

    Raises:
        ValueError: the weights cannot be had or do not fit.
    """
    network = initial_weights.pretrained_network(backbone)
    if backbone.from_scratch:
        _shorten_normalization_memory(network, steps)
    size = backbone.image_size
    pixels = keras.Input((size, size, 3), name="pixels")
    x = BackboneLayer(network, train_normalization=backbone.from_scratch, name="backbone")(pixels)
    x = keras.layers.GlobalAveragePooling2D(name="pooling")(x)
    x = keras.layers.Dropout(head.dropout, name="dropout")(x)
    # float32 also under mixed precision: float16 loses the small probabilities.
    logits = keras.layers.Dense(
        1 if num_classes == 2 else num_classes, dtype="float32", name="logits"
    )(x)
    return keras.Model(pixels, logits, name="classifier")


def _shorten_normalization_memory(network: keras.Model, steps: int) -> None:
    """Makes BatchNorm's moving averages arrive within a tenth of the steps.

    With Keras' 0.999 for MobileNetV2 a network trained for a few hundred steps scores 0.98 in
    training and chance in inference: the averages still stand near their initial values.
    """
    momentum = min(0.999, max(0.5, 1.0 - 10.0 / max(steps, 1)))
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum


def freeze(model: keras.Model) -> None:
    """Leaves only the head trainable. Compile afterwards."""
    model.get_layer("backbone").network.trainable = False


def unfreeze(model: keras.Model, fine_tune_at: int) -> None:
    """Makes the head and the backbone from layer `fine_tune_at` on trainable. Compile after."""
    network = model.get_layer("backbone").network
    network.trainable = True
    for layer in network.layers[:fine_tune_at]:
        layer.trainable = False


@dataclasses.dataclass(frozen=True)
class ParameterCount:
    """How much of a network learns: scalars, and the variables that hold them."""

    trainable: int
    total: int
    trainable_variables: int


def count_parameters(model: keras.Model) -> ParameterCount:
    """Counts the parameters as `model.summary()` does, optimizer left out."""
    return ParameterCount(
        trainable=sum(math.prod(w.shape) for w in model.trainable_weights),
        total=model.count_params(),
        trainable_variables=len(model.trainable_weights),
    )
