"""Accuracy of logits, of labels that come alone or with a teacher's answers."""

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from components.trainer.targets.labels import labels_of


class Accuracy(keras.metrics.MeanMetricWrapper):
    """Share of pictures whose label the logits name, with or without a teacher's answers."""

    def __init__(self, outputs: int, name: str = "accuracy"):
        super().__init__(_is_right, name=name, outputs=outputs)


class WeightedAccuracy(Accuracy):
    """The same, where every picture counts as much as its class does in the training loss."""

    def __init__(self, outputs: int, class_weight: Mapping[int, float]):
        super().__init__(outputs, name="weighted_accuracy")
        self._of_class = [class_weight[index] for index in range(len(class_weight))]

    def update_state(self, y_true, y_pred, sample_weight=None):
        labels = ops.cast(labels_of(y_true), "int32")
        super().update_state(y_true, y_pred, ops.take(np.float32(self._of_class), labels))


def _is_right(targets, logits, outputs: int):
    labels = ops.cast(labels_of(targets), "int32")
    best = logits[:, 0] > 0 if outputs == 1 else ops.argmax(logits, axis=1)
    return ops.equal(labels, ops.cast(best, "int32"))
