"""Asks a model where in a picture it found its answer."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components import features
from components.evaluator.thumbnails import Explainer

_BATCH = 16


def load_explainer(load: Callable[[], Any]) -> Explainer | None:
    """The signature `explain` of a SavedModel; None where it has none, or cannot be loaded.

    Networks without feature maps, as a SavedModel used for backbone, have none.

    Args:
        load: gives the loaded SavedModel.
    """
    try:
        loaded = load()
    except (OSError, tf.errors.OpError):  # nothing is decided by it
        logging.exception("No heat maps")
        return None
    signature = loaded.signatures.get(features.EXPLAIN_SIGNATURE)
    if signature is None:
        return None

    def explain(pictures: Sequence[bytes]) -> np.ndarray:
        # Named here, the model lives as long as its signature.
        assert loaded is not None
        batches = (pictures[at : at + _BATCH] for at in range(0, len(pictures), _BATCH))
        maps = [
            signature(**{features.IMAGE_BYTES: tf.constant(list(batch))})[features.HEAT_MAP]
            for batch in batches
        ]
        return np.concatenate([one.numpy() for one in maps])

    return explain
