"""What training minimises: cross-entropy from logits, smoothed, focal, or weighted by class.

The weights count in training, and in the choice of the best epoch (see `checkpoint.ranks`). The
validation loss is that of unweighted pictures, so that recipes with other weights compare.
"""

import difflib
from collections.abc import Mapping

import keras
from keras import ops

from components.errors import UserError
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


def class_weights(settings: TrainingSettings, counts: Mapping[str, int]) -> dict[int, float] | None:
    """How much a training picture of each class counts.

    Args:
        settings: its `class_weights`. `auto` gives pictures / (classes * pictures of the class):
            1 on average over the pictures, so the rate need not change.
        counts: training pictures of every class, in the order of the vocabulary.

    Returns:
        Weight by index of the class, for `keras.Model.fit`; None if all count the same.

    Raises:
        UserError: a weight is for a class that is not in the data.
    """
    chosen = settings.class_weights
    if chosen == "none":
        return None
    if chosen == "auto":
        total = sum(counts.values())
        return {i: total / (len(counts) * n) for i, n in enumerate(counts.values())}
    for name in chosen:
        if name not in counts:
            near = ", ".join(difflib.get_close_matches(name, counts, n=3) or list(counts)[:3])
            raise UserError(f"training.class_weights: there is no class {name}; there is {near}")
    return {i: chosen.get(name, 1.0) for i, name in enumerate(counts)}
