"""The losses, by numbers worked out by hand."""

import keras
import numpy as np
import pytest

from components.trainer.fitting.losses import make_loss
from components.trainer.settings.trainer import TrainingSettings

LOGIT = np.log(4.0).astype(np.float32)  # probabilities 0.2 and 0.8
LOGITS = np.log([[0.7, 0.2, 0.1]]).astype(np.float32)


def binary(label, **settings):
    loss = make_loss(TrainingSettings(**settings), outputs=1)
    return float(loss(np.array([label]), np.array([[LOGIT]])))


def categorical(label, **settings):
    loss = make_loss(TrainingSettings(**settings), outputs=3)
    return float(loss(np.array([label]), LOGITS))


def test_plain_cross_entropy_is_keras_own():
    assert isinstance(make_loss(TrainingSettings(), 1), keras.losses.BinaryCrossentropy)
    assert isinstance(make_loss(TrainingSettings(), 3), keras.losses.SparseCategoricalCrossentropy)
    assert binary(1) == pytest.approx(-np.log(0.8), rel=1e-5)
    assert binary(0) == pytest.approx(-np.log(0.2), rel=1e-5)
    assert categorical(1) == pytest.approx(-np.log(0.2), rel=1e-5)


def test_smoothing_spreads_a_share_of_the_label_over_all_classes():
    assert binary(1, label_smoothing=0.2) == pytest.approx(
        -0.9 * np.log(0.8) - 0.1 * np.log(0.2), rel=1e-5
    )
    assert categorical(0, label_smoothing=0.3) == pytest.approx(
        -0.8 * np.log(0.7) - 0.1 * np.log(0.2) - 0.1 * np.log(0.1), rel=1e-5
    )


@pytest.mark.parametrize("smoothing", [0.01, 0.1])
def test_a_little_smoothing_is_smoothing_too(smoothing):
    expected = -(1 - smoothing) * np.log(0.7) - smoothing / 3 * np.log([0.7, 0.2, 0.1]).sum()
    assert categorical(0, label_smoothing=smoothing) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_weighs_with_what_is_missing_to_certainty():
    assert binary(1, focal_gamma=2) == pytest.approx(-(0.2**2) * np.log(0.8), rel=1e-4)
    assert binary(0, focal_gamma=0.5) == pytest.approx(-(0.8**0.5) * np.log(0.2), rel=1e-4)
    assert categorical(0, focal_gamma=2) == pytest.approx(-(0.3**2) * np.log(0.7), rel=1e-4)


def test_focal_and_smooth_go_together():
    assert categorical(0, focal_gamma=1, label_smoothing=0.3) == pytest.approx(
        -0.8 * 0.3 * np.log(0.7) - 0.1 * 0.8 * np.log(0.2) - 0.1 * 0.9 * np.log(0.1), rel=1e-4
    )


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_weights_of_pictures_multiply_their_losses(gamma):
    loss = make_loss(TrainingSettings(focal_gamma=gamma, label_smoothing=0.1), outputs=3)
    labels, logits = np.array([0, 2], np.int64), np.repeat(LOGITS, 2, axis=0)
    one, other = (float(loss(labels[i : i + 1], logits[i : i + 1])) for i in (0, 1))
    weighted = float(loss(labels, logits, sample_weight=np.array([3.0, 0.5])))
    assert weighted == pytest.approx((3.0 * one + 0.5 * other) / 2, rel=1e-5)
