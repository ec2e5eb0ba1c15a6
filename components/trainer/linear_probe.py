"""Logistic regression on what the frozen backbone makes of pictures: a linear probe.

Seconds in place of a training, and nearly as good as one (Alain and Bengio, "Understanding
intermediate layers using linear classifier probes", arXiv:1610.01644).
"""

import dataclasses
import warnings
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import scipy.special
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from components import progress
from components.trainer.inputs import constant_graph
from components.trainer.inputs.examples import ExampleReader, count_examples
from components.trainer.network import initial_weights
from components.trainer.settings.trainer import BackboneSettings

FOLDS = 5
# Inverse of the L2 penalty times the number of features, which have deviation 1. With a thousand
# features any labels can be learned, the wrong ones too; this penalty keeps them from that.
_C = 2.0
PATH = tuple(_C * 4.0**power for power in range(-4, 5))
"""The same in a search, from the largest penalty to the smallest: a factor of 4 between two."""
_MAX_ITERATIONS = 500


@dataclasses.dataclass(frozen=True)
class LinearHead:
    """A linear layer with softmax.

    Attributes:
        weights: float64 [features, classes].
        bias: float64 [classes]; minus infinity for a class that it has never seen.
    """

    weights: np.ndarray
    bias: np.ndarray

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """From float [pictures, features] to float64 [pictures, classes], rows adding up to 1."""
        return scipy.special.softmax(features @ self.weights + self.bias, axis=1)


def frozen_features(
    backbone: BackboneSettings, reader: ExampleReader, files: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Runs the backbone, with its initial weights, over pictures as they are (view 0).

    Args:
        backbone: which network and which weights, not random ones.
        reader: makes batches of pixels.
        files: example files.

    Returns:
        The average over height and width of the backbone's output, float32 [pictures, channels],
        and the labels, int64 [pictures], in the files' order.

    Raises:
        UserError: the weights cannot be had.
    """
    assert not backbone.from_scratch, "random weights tell nothing about a picture"
    network = initial_weights.pretrained_network(backbone)
    encoder = keras.Model(
        network.inputs, keras.layers.GlobalAveragePooling2D(dtype="float32")(network.output)
    )
    run = constant_graph.inference(encoder)
    count = count_examples(files)
    features = np.zeros((count, encoder.output.shape[-1]), np.float32)
    labels = np.zeros(count, np.int64)
    done = 0
    for pixels, batch_labels in reader.view_batches(files, count):
        rows = slice(done, done + len(batch_labels))
        features[rows], labels[rows] = run(pixels).numpy(), batch_labels.numpy()
        done = rows.stop
        progress.report("features", done, count, "of the frozen backbone")
    return features, labels


def fit(features: np.ndarray, labels: np.ndarray, num_classes: int) -> LinearHead:
    """Multinomial logistic regression with an L2 penalty, on standardised features.

    Args:
        features: float32 [pictures, features].
        labels: int64 [pictures], two different ones or more.
        num_classes: at least 2; those that no picture has get the probability 0.
    """
    mean, scale = _standardisation(features)
    solver = _solver(C=_C / features.shape[1])
    _solve(solver, (features - mean) * scale, labels)
    return _unfolded(solver, mean, scale, num_classes)


def fit_path(
    features: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    weights: np.ndarray | None = None,
) -> Iterator[LinearHead]:
    """The same for every penalty of `PATH`, from the largest to the smallest.

    Each begins where the one before it ended, which takes a fraction of its iterations.

    Args:
        features: float32 [pictures, features]; it is overwritten.
        labels: int64 [pictures], two different ones or more.
        num_classes: at least 2.
        weights: how much each picture counts, float [pictures]; None: all 1.
    """
    mean, scale = _standardisation(features)
    features -= mean
    features *= scale
    solver = _solver(warm_start=True)
    for strength in PATH:
        solver.C = strength / features.shape[1]
        _solve(solver, features, labels, weights)
        yield _unfolded(solver, mean, scale, num_classes)


def _standardisation(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What to take off each feature, and what to multiply it with then."""
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    return mean, 1.0 / np.where(deviation > 0, deviation, 1.0)  # a feature that is always the same


def _solver(**options) -> LogisticRegression:
    return LogisticRegression(max_iter=_MAX_ITERATIONS, **options)


def _solve(
    solver: LogisticRegression,
    features: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None = None,
) -> None:
    with warnings.catch_warnings():
        # Far from the last digit of its optimum the ranking is settled.
        warnings.filterwarnings("ignore", "lbfgs failed to converge")
        solver.fit(features, labels, weights)


def _unfolded(
    solver: LogisticRegression, mean: np.ndarray, scale: np.ndarray, num_classes: int
) -> LinearHead:
    """What a solver has found on standardised features, for features as they are."""
    coefficients, intercept = solver.coef_, solver.intercept_
    if len(coefficients) == 1:  # of the second of two classes
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercept = np.concatenate([[0.0], intercept])
    weights = np.zeros((len(mean), num_classes))
    bias = np.full(num_classes, -np.inf)
    weights[:, solver.classes_] = (coefficients * scale).T
    bias[solver.classes_] = intercept - (coefficients * scale) @ mean
    return LinearHead(weights, bias)


def out_of_fold_probabilities(
    features: np.ndarray,
    labels: np.ndarray,
    groups: Sequence[str],
    num_classes: int,
    seed: int = 0,
) -> np.ndarray:
    """What each picture is taken for by a regression that has not seen it, nor a copy of it.

    Args:
        features: float32 [pictures, features].
        labels: int64 [pictures].
        groups: each picture's duplicate group; a copy with the same wrong label would confirm it.
        num_classes: at least 2.
        seed: deals the pictures out to five folds, or to fewer where no class has five pictures.

    Returns:
        float64 [pictures, classes]; not a number in the rows of pictures whose class no other fold
        has.
    """
    probabilities = np.full((len(labels), num_classes), np.nan)
    most = np.bincount(labels).max()
    if most < 2:  # no class in another fold
        return probabilities
    # Shuffled here: scikit-learn 1.5 would shuffle the groups' counts of labels without the groups.
    _, group = np.unique(groups, return_inverse=True)
    group = np.random.default_rng(seed).permutation(group.max() + 1)[group]
    folds = StratifiedGroupKFold(min(FOLDS, most))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        dealt = list(folds.split(features, labels, group))
    for number, (others, held_out) in enumerate(dealt, 1):
        known = np.unique(labels[others])
        held_out = held_out[np.isin(labels[held_out], known)]
        if len(known) > 1:
            head = fit(features[others], labels[others], num_classes)
            probabilities[held_out] = head.probabilities(features[held_out])
        progress.report("logistic regression", number, len(dealt), "fold by fold")
    return probabilities
