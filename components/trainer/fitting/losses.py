"""What training minimises: cross-entropy from logits, smoothed or focal.

Class weights multiply it per picture (see `targets.labels`). They count in training and in the
choice of the best epoch (see `ranking`). The validation loss is that of unweighted pictures, so
that recipes with other weights compare.
"""

import keras
from keras import ops

from components.trainer.settings.trainer import TrainingSettings


def make_loss(settings: TrainingSettings, outputs: int) -> keras.losses.Loss:
    """Makes the loss between labels int64 [batch] and logits float32 [batch, outputs].

    Args:
        settings: its `label_smoothing` and `focal_gamma`. A gamma weighs each picture's
            cross-entropy with (1 - probability of its class) ** gamma (Lin et al., "Focal Loss for
            Dense Object Detection", arXiv:1708.02002).
        outputs: width of the logits; 1 is the logit of the second of two classes.
    """
    losses, gamma = keras.losses, settings.focal_gamma
    options = {"from_logits": True, "label_smoothing": settings.label_smoothing}
    if outputs == 1:
        if gamma:
            return losses.BinaryFocalCrossentropy(gamma=gamma, **options)
        return losses.BinaryCrossentropy(**options)
    if gamma:
        # Keras' alpha of 0.25 would only scale the rate, and its binary loss has none.
        return _OneHot(losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=gamma, **options))
    if settings.label_smoothing:
        return _OneHot(losses.CategoricalCrossentropy(**options))
    return losses.SparseCategoricalCrossentropy(from_logits=True)


class _OneHot(keras.losses.Loss):
    """Lets a loss that takes one-hot labels take class indices."""

    def __init__(self, loss: keras.losses.Loss):
        super().__init__(name=loss.name)
        self._loss = loss

    def call(self, y_true, y_pred):
        one_hot = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1], dtype=y_pred.dtype)
        return self._loss.call(one_hot, y_pred)
