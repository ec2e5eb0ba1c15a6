"""How much a picture of each class counts."""

import numpy as np
import pytest
import tensorflow as tf

from components.errors import UserError
from components.trainer.settings.trainer import TrainingSettings
from components.trainer.targets.class_weights import check_class_weights, class_weights
from components.trainer.targets.distillation import as_targets
from components.trainer.targets.labels import with_weights

COUNTS = {"cat": 30, "dog": 10, "8": 20}


def weights(setting):
    return class_weights(TrainingSettings(class_weights=setting), COUNTS)


def test_auto_weights_make_the_classes_count_the_same_in_total():
    assert weights("none") is None
    auto = weights("auto")
    assert auto.tolist() == [60 / (3 * 30), 60 / (3 * 10), 60 / (3 * 20)]
    assert (auto * list(COUNTS.values())).tolist() == pytest.approx([20, 20, 20])


def test_weights_by_name_leave_the_other_classes_at_one():
    assert weights({"dog": 2.5}).tolist() == [1.0, 2.5, 1.0]
    assert weights({8: 3}).tolist() == [1.0, 1.0, 3.0], "a number needs no quotes in YAML"


def test_a_weight_of_an_unknown_class_names_the_nearest():
    with pytest.raises(UserError, match=r"training\.class_weights: .* dogs \(did you mean `dog`"):
        weights({"dogs": 2})
    with pytest.raises(UserError, match=r"no class 77\. Classes: cat, dog, 8"):
        weights({77: 2})
    check_class_weights(TrainingSettings(class_weights={"dog": 2}), list(COUNTS))


@pytest.mark.parametrize("with_teacher", [True, False])
def test_each_picture_counts_as_its_class_does(with_teacher):
    labels = np.array([2, 0, 1, 2], np.int64)
    targets = as_targets(labels, np.zeros((4, 3), np.float32)) if with_teacher else labels
    inputs = np.arange(4)
    batches = tf.data.Dataset.from_tensors((inputs, targets))
    of_class = np.array([1.0, 2.5, 0.5])
    ((x, y, counted),) = with_weights(batches, of_class)
    assert counted.dtype == tf.float32 and counted.numpy().tolist() == [0.5, 1.0, 2.5, 0.5]
    np.testing.assert_array_equal(x, inputs)
    np.testing.assert_array_equal(y, targets)
    assert with_weights(batches, None) is batches
