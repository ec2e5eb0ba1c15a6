"""The loss of a student, by numbers worked out by hand, and what validation sees of it."""

import numpy as np
import pytest

from components.trainer.fitting.losses import make_loss
from components.trainer.fitting.metrics import Accuracy, WeightedAccuracy
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.settings.trainer import TrainingSettings
from components.trainer.targets.distillation import DistillationLoss, as_targets
from components.trainer.targets.labels import labels_of

LABELS = np.array([0, 2], np.int64)
LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 1.0]], np.float32)
TEACHER = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], np.float32)


def softmax(logits):
    shares = np.exp(logits)
    return shares / shares.sum(axis=1, keepdims=True)


def make(outputs=3, training=None, **settings):
    of_labels = make_loss(training or TrainingSettings(), outputs)
    return DistillationLoss(of_labels, DistillationSettings(teacher="x", **settings))


def divergence(teacher, student):
    return np.mean(np.sum(teacher * np.log(teacher / student), axis=1))


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_labels_and_teacher_have_their_shares(temperature):
    targets = as_targets(LABELS, np.log(TEACHER))
    assert targets.shape == (2, 4) and targets.dtype == np.float32
    loss = make(temperature=temperature, weight=0.3)(targets, LOGITS)
    hard = -np.mean(np.log(softmax(LOGITS)[[0, 1], LABELS]))
    soft = divergence(softmax(np.log(TEACHER) / temperature), softmax(LOGITS / temperature))
    assert float(loss) == pytest.approx(0.7 * hard + 0.3 * temperature**2 * soft, rel=1e-5)


def test_a_student_that_answers_as_its_teacher_has_nothing_left_to_learn():
    assert float(make(weight=1.0)(as_targets(LABELS, np.log(TEACHER)), np.log(TEACHER))) == (
        pytest.approx(0.0, abs=1e-6)
    )


def test_one_logit_is_the_second_of_two_classes():
    labels = np.array([0, 1], np.int64)
    targets = as_targets(labels, np.log(TEACHER[:, 1:]))
    logits = np.array([[0.4], [-1.0]], np.float32)
    both = np.concatenate([np.zeros_like(logits), logits], axis=1)
    one, two = make(1)(targets, logits), make(2)(targets, both)
    assert float(one) == pytest.approx(float(two), rel=1e-5)


@pytest.mark.parametrize(("outputs", "columns"), [(3, 3), (1, 1)])
def test_labels_alone_have_the_loss_of_labels(outputs, columns):
    labels, logits = np.array([0, 1], np.int64), LOGITS[:, :columns]
    plain = make_loss(TrainingSettings(), outputs)(labels, logits)
    for given in (labels, labels[:, np.newaxis]):
        assert float(make(outputs)(given, logits)) == pytest.approx(float(plain), rel=1e-6)


def test_smooth_labels_and_weights_of_pictures_go_with_a_teacher():
    training = TrainingSettings(label_smoothing=0.2)
    loss, targets = make(training=training), as_targets(LABELS, np.log(TEACHER))
    one, other = (float(loss(targets[i : i + 1], LOGITS[i : i + 1])) for i in (0, 1))
    weighted = float(loss(targets, LOGITS, sample_weight=np.array([3.0, 0.5])))
    assert weighted == pytest.approx((3.0 * one + 0.5 * other) / 2, rel=1e-5)
    assert one != pytest.approx(float(make()(targets[:1], LOGITS[:1])), rel=1e-3)


@pytest.mark.parametrize("with_teacher", [True, False])
def test_weighted_accuracy_counts_a_picture_as_its_class_counts(with_teacher):
    labels = np.array([0, 0, 0, 1], np.int64)
    logits = np.array([[-1.0], [-1.0], [1.0], [1.0]], np.float32)
    targets = as_targets(labels, np.zeros((4, 2), np.float32)) if with_teacher else labels
    metric = WeightedAccuracy(np.array([1.0, 3.0]))
    metric.update_state(targets, logits)
    assert float(metric.result()) == pytest.approx((1 + 1 + 0 + 3) / (3 * 1 + 3))


@pytest.mark.parametrize("with_teacher", [True, False])
@pytest.mark.parametrize("outputs", [1, 3])
def test_accuracy_goes_by_the_label(outputs, with_teacher):
    labels = np.array([0, 1, 1], np.int64)
    logits = np.array([[-1.0, 0, 0], [2.0, 3, 0], [-0.5, 0, 1]], np.float32)[:, :outputs]
    targets = as_targets(labels, np.zeros((3, 3), np.float32)) if with_teacher else labels
    metric = Accuracy()
    metric.update_state(targets, logits)
    right = {1: [1, 1, 0], 3: [0, 1, 0]}[outputs]
    assert float(metric.result()) == pytest.approx(np.mean(right))
    assert np.asarray(labels_of(targets)).tolist() == labels.tolist()


@pytest.mark.parametrize("with_teacher", [True, False])
def test_of_two_classes_each_picture_has_a_loss_of_its_own(with_teacher):
    labels, logits = np.array([0, 1, 1], np.int64), np.array([[0.4], [-1.0], [2.0]], np.float32)
    targets = as_targets(labels, np.log(TEACHER[[0, 1, 0], 1:])) if with_teacher else labels
    loss, weights = make(1), np.array([3.0, 0.5, 0.0])
    each = [float(loss(targets[i : i + 1], logits[i : i + 1])) for i in range(3)]
    weighted = float(loss(targets, logits, sample_weight=weights))
    assert weighted == pytest.approx(np.dot(each, weights) / 3, rel=1e-5)
