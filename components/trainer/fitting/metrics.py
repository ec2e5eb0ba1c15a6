"""Accuracy of logits, of labels that come alone or with a teacher's answers."""

import keras
import numpy as np
from keras import ops

from components.trainer.network.outputs import logits_per_class
from components.trainer.targets.labels import labels_of, weights_of


class Accuracy(keras.metrics.MeanMetricWrapper):
    """Share of pictures whose label the logits name, with or without a teacher's answers."""

    def __init__(self, name: str = "accuracy"):
        super().__init__(_is_right, name=name)


class WeightedAccuracy(Accuracy):
    """The same, where every picture counts as much as its class does among the labelled ones."""

    def __init__(self, class_weights: np.ndarray):
        super().__init__(name="weighted_accuracy")
        self._class_weights = class_weights

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, y_pred, weights_of(y_true, self._class_weights))


def _is_right(targets, logits):
    labels = ops.cast(labels_of(targets), "int32")
    return ops.equal(labels, ops.cast(ops.argmax(logits_per_class(logits), axis=1), "int32"))
