"""Grad-CAM: which part of a picture speaks for the class that the network names.

Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization
(2017). The maps are those of the backbone's last layer, so that only the head, which is small, is
differentiated.
"""

import keras
import tensorflow as tf


class Explainer:
    """Logits of a classifier together with heat maps for the classes that they name.

    Attributes:
        has_maps: whether there are any: a backbone that gives one vector per picture, as most
            SavedModels do, does not tell where in the picture it saw what.
    """

    def __init__(self, model: keras.Model):
        """Makes the explainer.

        Args:
            model: from `build_classifier`, or any; one without a layer `backbone` has no maps.
        """
        self._model, self._head, self.has_maps = model, [], False
        names = [layer.name for layer in model.layers]
        if "backbone" not in names:
            return
        backbone = model.get_layer("backbone")
        _, height, width, _ = backbone.output.shape
        if height * width > 1:
            self.has_maps = True
            self._model = keras.Model(model.input, [model.output, backbone.output])
            self._head = model.layers[names.index("backbone") + 1 :]

    def logits_and_features(self, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Runs the network, in inference mode.

        Args:
            pixels: float32 [batch, size, size, 3] in the backbone's range.

        Returns:
            The model's logits, and float [batch, height, width, channels] for `maps`, or None.
        """
        if not self.has_maps:
            return self._model(pixels, training=False), None
        logits, features = self._model(pixels, training=False)
        return logits, features

    def maps(self, features: tf.Tensor) -> tf.Tensor:
        """Heat maps for the class with the highest logit.

        Args:
            features: from `logits_and_features`.

        Returns:
            float32 [batch, height, width] in 0..1. The highest is 1, or all are 0 where nothing
            speaks for the class.
        """
        with tf.GradientTape() as tape:
            tape.watch(features)
            logits = features
            for layer in self._head:
                logits = layer(logits)
            # A lone logit, that of the second of two classes, speaks for the first below 0.
            named = tf.abs(logits[:, 0]) if logits.shape[1] == 1 else tf.reduce_max(logits, axis=1)
        weights = tf.reduce_mean(tape.gradient(named, features), axis=[1, 2], keepdims=True)
        maps = tf.nn.relu(tf.reduce_sum(tf.cast(weights * features, tf.float32), axis=3))
        return tf.math.divide_no_nan(maps, tf.reduce_max(maps, axis=[1, 2], keepdims=True))
