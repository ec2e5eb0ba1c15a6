"""The SavedModel that is served: encoded pictures in, class names out."""

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components import features
from components.classes import write_classes
from components.errors import UserError
from components.trainer.calibration import Abstention, Calibration
from components.trainer.network import saved_model
from components.trainer.network.scorer import Scorer
from components.warm_up import write_requests

# For the graph, the vocabulary and the names of the variables. That of a MobileNetV2 takes 1.1 MB;
# the largest networks have ten times its layers.
_GRAPH_BYTES = 64 << 20


def _served(name: str) -> Callable:
    """Makes a signature of a function of string [batch]."""
    spec = tf.TensorSpec([None], tf.string, name)
    return tf.function(autograph=False, input_signature=[spec])


class ServingModule(tf.Module):
    """Holds the Keras 3 network and the tf_keras Transform layer, which no Keras model can.

    `serving_default` and `from_examples` give, for a batch of pictures:

    * `label` string [batch]: the most probable class,
    * `probability` float32 [batch]: its probability,
    * `probabilities` float32 [batch, classes]: of every class, adding up to 1,
    * `classes` string [batch, classes]: the classes' names in that order, once per picture, because
      TensorFlow Serving's REST API refuses row-wise answers without the batch dimension,
    * `unsure` bool [batch], where the calibration has it: whether the model abstains,
    * `in_label_set` bool [batch, classes], where it has it: the classes that may be right.

    `explain`, which only networks with feature maps have, gives the same and

    * `heat_map` float32 [batch, height, width] in 0..1: which part of the upright picture, as a
      whole, speaks for `label`.
    """

    def __init__(
        self,
        scorer: Scorer,
        tft_output: tft.TFTransformOutput,
        classes: Sequence[str],
        calibration: Calibration,
    ):
        super().__init__()
        self._scorer = scorer  # one trace of the network serves all signatures
        # Under this name a later training finds them, see `initial_weights`.
        self._weights = scorer.weights
        layer = tft_output.transform_features_layer()
        # What it has loaded is tracked, it itself is not: saving a layer of tf_keras traces its
        # call once more, through AutoGraph, which takes longer than all the rest.
        self._loaded_transform = layer._saved_model_loader._imported
        self._transformed = lambda raw: layer(raw)
        self._spec = tft_output.raw_feature_spec()
        self._classes = tf.constant(list(classes))
        self._calibration = calibration

    def _answers(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = tf.nn.softmax(logits / (self._calibration.temperature or 1.0))
        best = tf.argmax(probabilities, axis=1)
        answers = {
            features.PREDICTED_LABEL: tf.gather(self._classes, best),
            features.PROBABILITY: tf.reduce_max(probabilities, axis=1),
            features.PROBABILITIES: probabilities,
            features.CLASSES: tf.tile(self._classes[tf.newaxis], [tf.shape(probabilities)[0], 1]),
        }
        is_best = tf.one_hot(best, logits.shape[1], on_value=True, off_value=False)
        if self._calibration.abstention:
            answers[features.UNSURE] = _unsure(logits, is_best, self._calibration.abstention)
        if self._calibration.label_sets:
            least = self._calibration.label_sets.least_log_probability
            probable = tf.nn.log_softmax(logits) >= (-math.inf if least is None else least)
            answers[features.IN_LABEL_SET] = probable | is_best
        return answers

    def _pixels(self, image_bytes: tf.Tensor) -> tf.Tensor:
        raw = {
            features.IMAGE: image_bytes,
            features.IMAGE_ID: tf.zeros_like(image_bytes),
            features.VIEW: tf.zeros(tf.shape(image_bytes), tf.int64),
        }
        return self._transformed(raw)[features.transformed_name(features.IMAGE)]

    @_served(features.IMAGE_BYTES)
    def serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Signature `serving_default`: encoded JPEG, PNG or GIF, string [batch]."""
        logits, _ = self._scorer.network(self._pixels(image_bytes))
        return self._answers(logits)

    @_served(features.EXAMPLES)
    def predict_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Signature `from_examples`: serialized examples, string [batch], read for `image`."""
        spec = {features.IMAGE: self._spec[features.IMAGE]}
        return self.serve(tf.io.parse_example(examples, spec)[features.IMAGE])

    @_served(features.EXAMPLES)
    def transform(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Signature `transform_features`: serialized examples to `label_xf` int64 [batch]."""
        spec = {features.LABEL: self._spec[features.LABEL]}
        return dict(self._transformed(tf.io.parse_example(examples, spec)))

    def signatures(self) -> dict[str, Callable]:
        """The functions that are exported, by name."""
        signatures = {
            features.SERVING_SIGNATURE: self.serve,
            features.EXAMPLES_SIGNATURE: self.predict_examples,
            features.TRANSFORM_SIGNATURE: self.transform,
        }
        if self._scorer.explainer.has_maps:
            # Made here: as a method it would be traced for networks without feature maps too.
            @_served(features.IMAGE_BYTES)
            def explain(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
                logits, maps = self._scorer.network(self._pixels(image_bytes))
                return {
                    **self._answers(logits),
                    features.HEAT_MAP: self._scorer.explainer.maps(maps),
                }

            signatures[features.EXPLAIN_SIGNATURE] = explain
        return signatures


def _unsure(logits: tf.Tensor, is_best: tf.Tensor, abstention: Abstention) -> tf.Tensor:
    """See `calibration.is_unsure`."""
    best = tf.reduce_max(logits, axis=1)
    others = tf.reduce_logsumexp(tf.where(is_best, -math.inf, logits), axis=1)
    above = math.inf if abstention.sure_above is None else abstention.sure_above
    return best - others <= above


def export_bytes(model: keras.Model) -> int:
    """Disk that the export of a model takes, rather more than less."""
    variables = [v for loaded in saved_model.loaded_parts(model) for v in loaded.variables]
    weights = sum(
        math.prod(variable.shape) * tf.as_dtype(variable.dtype).size
        for variable in [*model.weights, *variables]
    )
    return weights + _GRAPH_BYTES


def require_export_space(model: keras.Model, path: str) -> None:
    """Finds a disk that is too small for the export before the training that it would lose.

    Args:
        model: to be exported.
        path: folder to be written to.

    Raises:
        UserError: the disk is too small.
    """
    folder = next(parent for parent in Path(path).absolute().parents if parent.exists())
    needed, free = export_bytes(model), shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"the trained model takes {needed / 1e6:,.0f} MB, but {folder} has only "
            f"{free / 1e6:,.0f} MB free: free some space and run again"
        )


def export(
    scorer: Scorer,
    tft_output: tft.TFTransformOutput,
    classes: Sequence[str],
    path: str,
    calibration: Calibration | None = None,
) -> None:
    """Writes the SavedModel, with the class names beside it.

    Args:
        scorer: the trained classifier.
        tft_output: the transform graph it was trained behind.
        classes: names in the order of the model's outputs.
        path: folder to write to.
        calibration: what it is to say beside its answers; None: nothing.
    """
    module = ServingModule(scorer, tft_output, classes, calibration or Calibration())
    tf.saved_model.save(module, path, signatures=module.signatures())
    write_classes(path, classes)
    write_requests(path, scorer.image_size)
