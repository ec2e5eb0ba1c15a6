"""Asks a model where in a picture it found its answer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components import features
from components.evaluator.thumbnails import Explainer

_BATCH = 16


def explainer_of(loaded: Any) -> Explainer | None:
    """The signature `explain` of a loaded SavedModel; None where it has none.

    Networks without feature maps, as a SavedModel used for backbone, have none.
    """
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
