"""One output that stands for two classes."""

import numpy as np
import pytest

from components.trainer.network.outputs import logits_per_class, probabilities_per_class


def test_one_number_is_that_of_the_second_class():
    logits = np.array([[1.5], [-0.5]], np.float32)
    assert np.asarray(logits_per_class(logits)).tolist() == [[0, 1.5], [0, -0.5]]
    probabilities = np.array([[0.25], [1.0]], np.float32)
    assert np.asarray(probabilities_per_class(probabilities)).tolist() == [[0.75, 0.25], [0, 1]]


@pytest.mark.parametrize("per_class", [logits_per_class, probabilities_per_class])
def test_one_number_per_class_stays(per_class):
    outputs = np.zeros((2, 2), np.float32)
    assert per_class(outputs) is outputs
