"""Labels as training sees them: alone, or in front of a teacher's answers."""

import numpy as np
import tensorflow as tf
from keras import ops


def labels_of(targets):
    """The labels [batch] in targets, or in labels [batch] or [batch, 1]."""
    return targets[:, 0] if len(targets.shape) == 2 else targets


def weights_of(targets, class_weights: np.ndarray):
    """How much each picture counts: the weight of its class, float32 [batch].

    Args:
        targets: labels, or labels in front of a teacher's answers.
        class_weights: float [classes], see `class_weights`.
    """
    return ops.take(np.float32(class_weights), ops.cast(labels_of(targets), "int32"))


def with_weights(batches: tf.data.Dataset, class_weights: np.ndarray | None) -> tf.data.Dataset:
    """Batches of (input, target) to (input, target, weight); as they are without class weights.

    Keras' own `class_weight` does not know a teacher's answers.
    """
    if class_weights is None:
        return batches
    return batches.map(lambda x, y: (x, y, weights_of(y, class_weights)))
