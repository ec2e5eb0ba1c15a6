"""How much a training picture of each class counts. Importable without TensorFlow."""

from collections.abc import Mapping, Sequence

import numpy as np

from components.errors import UserError
from components.text import did_you_mean, one_line
from components.trainer.settings.trainer import TrainingSettings


def check_class_weights(settings: TrainingSettings, classes: Sequence[str]) -> None:
    """Finds a weight of a class that is not in the data.

    Raises:
        UserError: there is one.
    """
    if isinstance(settings.class_weights, str):
        return
    for name in settings.class_weights:
        if name not in classes:
            raise UserError(
                f"training.class_weights: there is no class {name}{did_you_mean(name, classes)}. "
                f"Classes: {one_line(', '.join(classes))}"
            )


def class_weights(settings: TrainingSettings, counts: Mapping[str, int]) -> np.ndarray | None:
    """How much a training picture of each class counts.

    Args:
        settings: its `class_weights`. `auto` gives pictures / (classes * pictures of the class):
            1 on average over the pictures, so the rate need not change.
        counts: training pictures of every class, in the order of the vocabulary.

    Returns:
        float64 [classes] in that order; None if all count the same.

    Raises:
        UserError: a weight is for a class that is not in the data.
    """
    chosen = settings.class_weights
    if chosen == "none":
        return None
    if chosen == "auto":
        pictures = np.array(list(counts.values()), np.float64)
        return pictures.sum() / (len(counts) * pictures)
    check_class_weights(settings, list(counts))
    return np.array([chosen.get(name, 1.0) for name in counts], np.float64)
