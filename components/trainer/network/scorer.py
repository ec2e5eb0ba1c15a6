"""A trained network as it is served: what is asked of it on the validation split goes out alike."""

import keras
import tensorflow as tf

from components.trainer.network import saved_model
from components.trainer.network.classifier import tail_from
from components.trainer.network.grad_cam import Explainer
from components.trainer.network.outputs import logits_per_class


class Scorer(tf.Module):
    """Gives the logits of pixels by one trace of the network, which the export shares.

    Args:
        model: the trained classifier.

    Attributes:
        weights: of the network, variables in Keras' order.
        image_size: side of the pictures, pixels.
        explainer: makes heat maps of the network's features.
        network: function from pixels, float32 [batch, size, size, 3], to logits, float32 [batch,
            classes], and features for the explainer, or None.
    """

    def __init__(self, model: keras.Model):
        super().__init__()
        # The variables alone: tracking the Keras model would save its optimizer's too.
        self.weights = [weight.value for weight in model.weights]
        self._loaded = saved_model.loaded_parts(model)
        self.image_size = model.input_shape[1]
        self.explainer = explainer = Explainer(_folded(model))
        spec = tf.TensorSpec([None, self.image_size, self.image_size, 3])

        @tf.function(autograph=False, input_signature=[spec])
        def network(pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
            logits, maps = explainer.logits_and_features(pixels)
            return logits_per_class(logits), maps

        # Traced here and now: saving a model traces every other function again.
        self.network = network.get_concrete_function()

    def logits(self, pixels: tf.Tensor) -> tf.Tensor:
        """The logits alone."""
        return self.network(pixels)[0]


def _folded(model: keras.Model) -> keras.Model:
    """The same classifier with its BatchNorm folded: a third more pictures per second."""
    if "backbone" not in [layer.name for layer in model.layers]:
        return model
    return tail_from(model, model.get_layer("backbone").network.input, learns=False)
