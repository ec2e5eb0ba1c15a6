"""Labels unlabelled pictures with a trained model, where it is sure (Lee 2013, "Pseudo-Label")."""

import collections
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from components import features, progress
from components.trainer.inputs.examples import ExampleReader, count_examples, records
from components.trainer.settings.pseudo_labels import PseudoLabelSettings

_RECORDS_FILE = "pseudo-labels.gz"
_COUNTS_FILE = "pseudo-labels.json"


@dataclasses.dataclass(frozen=True)
class PseudoLabels:
    """What a model was sure of.

    Attributes:
        file: TFRecord of the pictures that were taken, with the model's labels as theirs.
        unlabelled: how many pictures there were.
        taken: how many of them were taken, by class.
    """

    file: str
    unlabelled: int
    taken: dict[str, int]

    @property
    def total(self) -> int:
        """How many were taken."""
        return sum(self.taken.values())


def split_files(files: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tells the files of labelled and of unlabelled pictures apart, by the split's folder."""
    folder = f"/Split-{features.UNLABELLED}/"
    unlabelled = [file for file in files if folder in file]
    return [file for file in files if folder not in file], unlabelled


def label_pictures(
    model: keras.Model,
    reader: ExampleReader,
    files: Sequence[str],
    classes: Sequence[str],
    settings: PseudoLabelSettings,
    folder: Path,
) -> PseudoLabels:
    """Asks the model about every unlabelled picture, unless an earlier attempt has done so.

    Args:
        model: from float32 [batch, size, size, 3] to logits.
        reader: makes batches of pixels.
        files: example files of the unlabelled pictures. Copies of a picture are taken once.
        classes: names in the order of the vocabulary.
        settings: how sure is sure.
        folder: for the records of those that are taken.
    """
    counts_path, path = folder / _COUNTS_FILE, folder / _RECORDS_FILE
    if counts_path.exists():
        return PseudoLabels(str(path), **json.loads(counts_path.read_text(encoding="utf-8")))
    count = count_examples(files)
    run = tf.function(lambda pixels: model(pixels, training=False), reduce_retracing=True)
    probabilities = np.zeros((0, len(classes)), np.float32)
    answers = [probabilities]
    done = 0
    for pixels, _ in reader.view_batches(files, count):
        answers.append(_probabilities(run(pixels)))
        done += len(answers[-1])
        progress.report("labelling", done, count, "pictures without labels")
    probabilities = np.concatenate(answers)
    best = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1) >= settings.threshold
    taken, seen = collections.Counter(dict.fromkeys(classes, 0)), set()
    with tf.io.TFRecordWriter(str(path), features.COMPRESSION) as writer:
        for number, serialized in enumerate(records(files).as_numpy_iterator()):
            if not sure[number]:
                continue
            example = tf.train.Example.FromString(serialized)
            (image_id,) = example.features.feature[features.IMAGE_ID].bytes_list.value
            if image_id in seen:
                continue
            seen.add(image_id)
            name = classes[best[number]]
            taken[name] += 1
            example.features.feature[features.LABEL].bytes_list.value[:] = [name.encode()]
            writer.write(example.SerializeToString(deterministic=True))
    counts = {"unlabelled": count, "taken": dict(taken)}
    unfinished = counts_path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(counts), encoding="utf-8")
    unfinished.replace(counts_path)
    return PseudoLabels(str(path), **counts)


def _probabilities(logits: tf.Tensor) -> np.ndarray:
    """float32 [batch, classes]."""
    if logits.shape[-1] == 1:  # of the second of two classes
        logits = tf.concat([tf.zeros_like(logits), logits], axis=1)
    return tf.nn.softmax(logits).numpy()
