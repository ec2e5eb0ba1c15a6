"""Heat maps from a model's own signature."""

import numpy as np
import pytest
import tensorflow as tf

from components.evaluator.explanations import explainer_of

pytestmark = pytest.mark.slow


class Model(tf.Module):
    """Its heat map is the picture's number of bytes, times what it has learnt."""

    def __init__(self):
        super().__init__()
        self.learnt = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def explain(self, image_bytes):
        sizes = tf.cast(tf.strings.length(image_bytes), tf.float32) * self.learnt
        return {"heat_map": tf.repeat(tf.repeat(sizes[:, None, None], 2, 1), 2, 2)}


def test_all_batches_are_asked(tmp_path):
    model = Model()
    tf.saved_model.save(model, str(tmp_path), signatures={"explain": model.explain})
    explain = explainer_of(tf.saved_model.load(str(tmp_path)))
    for count in (1, 16, 33):
        maps = explain([b"x" * size for size in range(count)])
        assert maps.shape == (count, 2, 2) and np.array_equal(maps[:, 0, 0], 2 * np.arange(count))


def test_a_model_without_that_signature_explains_nothing(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    assert explainer_of(tf.saved_model.load(str(tmp_path))) is None
