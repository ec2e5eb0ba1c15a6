"""Outputs of classifiers: one number can stand for two classes."""

from keras import ops


def logits_per_class(logits):
    """Logits [batch, classes]; of one, which is that of the second of two classes, both.

    Args:
        logits: float [batch, 1] or [batch, classes].
    """
    if logits.shape[-1] != 1:
        return logits
    return ops.concatenate([ops.zeros_like(logits), logits], axis=1)


def probabilities_per_class(probabilities):
    """Probabilities [batch, classes]; of one, which is that of the second of two classes, both.

    Args:
        probabilities: float [batch, 1] or [batch, classes].
    """
    if probabilities.shape[-1] != 1:
        return probabilities
    return ops.concatenate([1.0 - probabilities, probabilities], axis=1)
