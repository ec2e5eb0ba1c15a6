"""The classifier: a pretrained backbone under a new head, and which of its layers learn."""

import math
from collections.abc import Sequence

import keras
import numpy as np

from components.errors import UserError
from components.text import did_you_mean
from components.trainer.network import initial_weights
from components.trainer.network.folding import folded
from components.trainer.settings.trainer import (
    ALL_LAYERS,
    BackboneSettings,
    HeadSettings,
    PhaseSettings,
    Precision,
)
from components.trainer.training_report import ParameterCount


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

    def compute_output_spec(self, pixels, training=False):
        """What the network was built to give: Keras would go through all its layers again."""
        output = self.network.output
        return keras.KerasTensor(output.shape, output.dtype)


_POOLING = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
    "flatten": keras.layers.Flatten,
}


def build_classifier(
    backbone: BackboneSettings,
    head: HeadSettings,
    num_classes: int,
    steps: int,
    priors: Sequence[float] | None = None,
) -> keras.Model:
    """Builds the network with its initial weights.

    Args:
        backbone: which network and which weights.
        head: what sits on it.
        num_classes: at least 2.
        steps: optimizer steps of the whole training; BatchNorm from scratch must arrive in them.
        priors: how often each class comes, above 0 and in any unit; None: all equally often.

    Returns:
        A model from float32 [batch, size, size, 3] in the backbone's range to logits float32
        [batch, 1] (that of the second of two classes) or [batch, num_classes].

    Raises:
        UserError: the weights cannot be had or do not fit, or there are too many classes for one
            logit.
    """
    outputs = head.outputs(num_classes)
    network = initial_weights.pretrained_network(backbone)
    if backbone.from_scratch:
        _shorten_normalization_memory(network, steps)
    size = backbone.image_size
    pixels = keras.Input((size, size, 3), name="pixels")
    x = BackboneLayer(network, train_normalization=backbone.from_scratch, name="backbone")(pixels)
    x = _POOLING[head.pooling](name="pooling")(x)
    for number, width in enumerate(head.hidden, start=1):
        x = keras.layers.Dropout(head.dropout, name=f"dropout_{number}")(x)
        x = keras.layers.Dense(width, activation="relu", name=f"hidden_{number}")(x)
    x = keras.layers.Dropout(head.dropout, name="dropout")(x)
    # float32 also under mixed precision: float16 loses the small probabilities.
    last = keras.layers.Dense(outputs, dtype="float32", name="logits")
    model = keras.Model(pixels, last(x), name="classifier")
    if head.class_prior_bias and priors is not None:
        last.bias.assign(_prior_bias(priors, outputs))
    return model


def _prior_bias(priors: Sequence[float], outputs: int) -> np.ndarray:
    """Initial bias of the logits whose softmax gives the class priors; 0 where these are equal.

    Returns:
        float64 [outputs].
    """
    logs = np.log(np.asarray(priors, np.float64))
    return logs[1:] - logs[0] if outputs == 1 else logs - logs.mean()


def _shorten_normalization_memory(network: keras.Model, steps: int) -> None:
    """Makes BatchNorm's moving averages arrive within a tenth of the steps.

    With Keras' 0.999 for MobileNetV2 a network trained for a few hundred steps scores 0.98 in
    training and chance in inference: the averages still stand near their initial values.
    """
    momentum = min(0.999, max(0.5, 1.0 - 10.0 / steps))
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum


def learning_layers(network: keras.Model, phase: PhaseSettings) -> set[keras.layers.Layer]:
    """The layers of the backbone that learn in a phase.

    Raises:
        UserError: `fine_tune_at` is no layer of the network.
    """
    at = phase.fine_tune_at
    if at is None:
        return set()
    if at == ALL_LAYERS:
        return set(network.layers)
    if isinstance(at, int):
        last = len(network.layers) - 1
        if not 0 <= at <= last:
            raise UserError(f"fine_tune_at is {at}, but {network.name} has layers 0 to {last}")
        return set(network.layers[at:])
    names = [layer.name for layer in network.layers]
    if at not in names:
        raise UserError(
            f"fine_tune_at: {network.name} has no layer {at}{did_you_mean(at, names)}. "
            f"Its last layers are {', '.join(names[-3:])}"
        )
    return set(network.layers[names.index(at) :])


def set_learning(model: keras.Model, phase: PhaseSettings) -> None:
    """Makes the head and the phase's layers of the backbone trainable. Compile afterwards.

    Raises:
        UserError: see `learning_layers`.
    """
    network = model.get_layer("backbone").network
    learning = learning_layers(network, phase)
    for layer in network.layers:
        layer.trainable = layer in learning


def backbone_variables(model: keras.Model) -> list[keras.Variable]:
    """The variables that belong to the backbone, of a classifier or of the rest of one."""
    return [
        variable
        for layer in model.layers
        if isinstance(layer, BackboneLayer)
        for variable in layer.variables
    ]


def tail_from(
    model: keras.Model,
    tensor: keras.KerasTensor,
    precision: Precision = "float32",
    learns: bool = True,
) -> keras.Model:
    """The classifier from a tensor on, sharing its variables; see `folding`.

    Args:
        model: from `build_classifier`.
        tensor: the input of its backbone, one inside it, or what the pooling makes of its output.
        precision: what the backbone's convolutions multiply in, `float32` or `bf16`.
        learns: whether it is to be trained; the BatchNorm of a network from scratch, which learns
            its statistics, can be folded where it is only asked.

    Returns:
        A model from float32 [batch, ...] as the tensor is shaped to the classifier's logits.
    """
    x = inputs = keras.Input(tensor.shape[1:])
    backbone = model.get_layer("backbone")
    pooling, *head = model.layers[model.layers.index(backbone) + 1 :]
    if len(tensor.shape) > 2:
        rest = keras.Model(tensor, backbone.network.output)
        learns = learns and backbone.train_normalization
        layer = BackboneLayer(folded(rest, precision, not learns), learns, name=backbone.name)
        x = pooling(layer(x))
    for layer in head:
        x = layer(x)
    return keras.Model(inputs, x)


def count_parameters(model: keras.Model) -> ParameterCount:
    """Counts the parameters as `model.summary()` does, optimizer left out."""
    return ParameterCount(
        trainable=sum(math.prod(w.shape) for w in model.trainable_weights),
        total=model.count_params(),
        trainable_variables=len(model.trainable_weights),
    )
