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
from components.files import write_atomically
from components.trainer import kept_files
from components.trainer.inputs.examples import ExampleReader, count_examples, records
from components.trainer.network.scorer import Scorer
from components.trainer.settings.pseudo_labels import PseudoLabelSettings
from components.trainer.training_report import PseudoLabelCounts

_RECORDS_FILE = "pseudo-labels.gz"
_COUNTS_FILE = "pseudo-labels.json"


@dataclasses.dataclass(frozen=True)
class PseudoLabels:
    """The pictures that a model labelled.

    Attributes:
        file: TFRecord of the pictures that were taken, with the model's labels as theirs.
        counts: how many these are.
    """

    file: str
    counts: PseudoLabelCounts


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
        model: the trained classifier; it is asked as it would be served.
        reader: makes batches of pixels.
        files: example files of the unlabelled pictures. Copies of a picture are taken once.
        classes: names in the order of the vocabulary.
        settings: how sure is sure.
        folder: for the records of those that are taken.
    """
    counts_path, path = folder / _COUNTS_FILE, folder / _RECORDS_FILE
    if (kept := _read(counts_path, path)) is not None:
        return kept
    count = count_examples(files)
    scorer = Scorer(model)
    answers = []
    done = 0
    for pixels, _ in reader.view_batches(files, count):
        answers.append(tf.nn.softmax(scorer.logits(pixels)).numpy())
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
    counts = PseudoLabelCounts(count, dict(taken))
    write_atomically(counts_path, json.dumps(dataclasses.asdict(counts)))
    return PseudoLabels(str(path), counts)


def _read(counts_path: Path, path: Path) -> PseudoLabels | None:
    """What an earlier attempt took; None if there was none or its files are damaged."""
    if not counts_path.exists():
        return None
    try:
        counts = PseudoLabelCounts(**json.loads(counts_path.read_text(encoding="utf-8")))
        if count_examples([str(path)]) == counts.total:
            return PseudoLabels(str(path), counts)
        kept_files.discard_damaged(counts_path, f"{path} does not hold {counts.total} pictures")
    except (TypeError, tf.errors.OpError, *kept_files.DAMAGE) as error:
        kept_files.discard_damaged(counts_path, error)
    return None
