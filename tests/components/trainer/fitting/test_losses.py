"""The losses, by numbers worked out by hand, and what each class counts."""

import keras
import numpy as np
import pytest

from components.trainer.fitting.losses import class_weights, make_loss
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


COUNTS = {"cat": 30, "dog": 10, "8": 20}


def weights(setting):
    return class_weights(TrainingSettings(class_weights=setting), COUNTS)


def test_auto_weights_make_the_classes_count_the_same_in_total():
    assert weights("none") is None
    auto = weights("auto")
    assert auto == {0: 60 / (3 * 30), 1: 60 / (3 * 10), 2: 60 / (3 * 20)}
    totals = [auto[i] * n for i, n in enumerate(COUNTS.values())]
    assert totals == pytest.approx([20, 20, 20])


def test_weights_by_name_leave_the_other_classes_at_one():
    assert weights({"dog": 2.5}) == {0: 1.0, 1: 2.5, 2: 1.0}
    assert weights({8: 3}) == {0: 1.0, 1: 1.0, 2: 3.0}, "a number needs no quotes in YAML"


def test_a_weight_of_an_unknown_class_names_the_nearest():
    with pytest.raises(
        ValueError, match=r"training\.class_weights: .* no class dogs; there is dog"
    ):
        weights({"dogs": 2})
    with pytest.raises(ValueError, match="no class 77; there is cat, dog, 8"):
        weights({77: 2})
