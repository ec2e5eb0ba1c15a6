"""Learning from a teacher's answers beside the labels (Hinton et al. 2015, arXiv:1503.02531).

Answers travel with the labels, as targets: float32 [batch, 1 + classes], the index of the label and
the teacher's log-probabilities. Validation has labels alone, int64 [batch], and is judged by them,
so that its loss compares with that of other recipes.
"""

import keras
import numpy as np
from keras import ops

from components.trainer.network.outputs import logits_per_class
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.targets.labels import labels_of


def as_targets(labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Puts labels and a teacher's answers together.

    Args:
        labels: int64 [pictures].
        answers: float32 [pictures, classes], log-probabilities.

    Returns:
        float32 [pictures, 1 + classes].
    """
    return np.concatenate([labels[:, np.newaxis].astype(np.float32), answers], axis=1)


class DistillationLoss(keras.losses.Loss):
    """(1 - weight) * loss of the labels + weight * temperature^2 * KL(teacher || student).

    The square keeps the gradients of the second part as large as those of the first whatever the
    temperature is. Labels without answers, as in validation, have the loss of the labels.
    """

    def __init__(self, of_labels: keras.losses.Loss, settings: DistillationSettings):
        super().__init__(name="distillation")
        self._of_labels = of_labels
        self._temperature = settings.temperature
        self._weight = settings.weight

    def call(self, y_true, y_pred):
        hard = self._of_labels.call(labels_of(y_true), y_pred)
        if len(y_true.shape) < 2 or y_true.shape[-1] == 1:
            return hard
        teacher = ops.log_softmax(y_true[:, 1:] / self._temperature)
        student = ops.log_softmax(logits_per_class(y_pred) / self._temperature)
        divergence = ops.sum(ops.exp(teacher) * (teacher - student), axis=1)
        return (1.0 - self._weight) * hard + self._weight * self._temperature**2 * divergence
