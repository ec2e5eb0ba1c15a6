"""The linear head solved on kept features, in place of being trained in steps.

Fine-tuning that begins with a head at its optimum disturbs the backbone's features less than one
that begins with a head half trained (Kumar et al., "Fine-Tuning can Distort Pretrained Features and
Underperform Out-of-Distribution", arXiv:2202.10054).
"""

import math
from collections.abc import Mapping

import keras
import numpy as np

from components import features, progress
from components.trainer import linear_probe
from components.trainer.inputs.activation_cache import Cached
from components.trainer.linear_probe import LinearHead


def solve_head(
    model: keras.Model, kept: Mapping[str, Cached], class_weights: np.ndarray | None, task: str
) -> None:
    """Gives the last layer the weights of the logistic regression that validates best.

    All views of a picture are learned from, and together count as one picture.

    Args:
        model: from pooled features float32 [batch, features] to logits [batch, outputs], with one
            layer that learns.
        kept: the pooled features of the splits `train` and `validation`. Those of `train` are in
            memory while it solves, float32.
        class_weights: how much a picture of each class counts, float [classes]; None: all the same.
        task: what the progress is told under.
    """
    train, validation = kept[features.TRAIN], kept[features.VALIDATION]
    views = train.activations.shape[0]
    labels = np.tile(train.labels, views)
    num_classes = max(2, model.output_shape[-1])
    path = linear_probe.fit_path(
        np.asarray(train.activations).reshape(len(labels), -1).astype(np.float32),
        labels,
        num_classes,
        _counts(labels, class_weights) / views,
    )
    shown = validation.activations[0].astype(np.float32)
    best, lowest = None, math.inf
    for number, head in enumerate(path, 1):
        loss = _loss(head.probabilities(shown), validation.labels, class_weights)
        if loss < lowest:
            best, lowest = head, loss
        progress.report(task, number, len(linear_probe.PATH), f"validation loss {loss:.3f}")
    _assign(best, model.layers[-1])


def _counts(labels: np.ndarray, class_weights: np.ndarray | None) -> np.ndarray:
    """How much each picture counts, float64 [pictures]."""
    return np.ones(len(labels)) if class_weights is None else class_weights[labels]


def _loss(probabilities: np.ndarray, labels: np.ndarray, class_weights: np.ndarray | None) -> float:
    """Cross-entropy, weighted as in training.

    Not the accuracy, which picks among heads that differ by a picture or two: on photos of cats and
    dogs it took one that was surer of its mistakes and no better on others.
    """
    given = np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo(np.float32).tiny)
    return float(np.average(-np.log(given), weights=_counts(labels, class_weights)))


def _assign(head: LinearHead, layer: keras.layers.Dense) -> None:
    """Sets the weights of a layer with one logit per class, or that of the second of two."""
    kernel, bias = head.weights, head.bias
    if layer.units == 1:
        kernel, bias = kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)
