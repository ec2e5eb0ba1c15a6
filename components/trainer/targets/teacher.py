"""The model whose answers a student learns from, asked once per picture."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from components import features, progress
from components.classes import CLASSES_FILE
from components.errors import UserError
from components.files import atomic_file
from components.graph_check import require_computing
from components.pixels import decode, rescale
from components.text import one_line
from components.trainer.inputs.examples import labelled_pictures
from components.trainer.kept_files import read_array
from components.trainer.network.outputs import logits_per_class, probabilities_per_class
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.targets.distillation import as_targets
from components.trainer.targets.teacher_files import (
    check_teacher,
    teacher_classes,
    teacher_folder,
)

_SIGNATURE = "serving_default"
_BATCH_SIZE = 32
# Below this a probability's logarithm says nothing more.
_LEAST_PROBABILITY = 1e-12
_TARGETS_FILE = "targets.npy"


def teacher_targets(
    settings: DistillationSettings,
    files: Sequence[str],
    classes: Sequence[str],
    cache: Path,
) -> np.ndarray:
    """Asks the teacher about every picture as it is, unless an earlier attempt has done so.

    Args:
        settings: names the teacher.
        files: example files of the train split.
        classes: those of the student, in the order of its labels.
        cache: folder for the answers.

    Returns:
        float32 [pictures, 1 + classes] in the files' order: the index of the label, and the
        teacher's log-probabilities of the student's classes, which need not add up to 1 where the
        teacher knows others.

    Raises:
        UserError: the teacher cannot be loaded or asked, or does not know a class.
    """
    path = cache / _TARGETS_FILE
    if (kept := read_array(path)) is not None:
        return kept
    check_teacher(settings, classes)
    folder = teacher_folder(settings)
    ask = load_teacher(settings, folder)
    known = teacher_classes(settings, folder)
    columns = [known.index(name) for name in classes]
    index = {name.encode(): number for number, name in enumerate(classes)}
    answers, labels = [], []
    for pictures, names in labelled_pictures(files, _BATCH_SIZE):
        answer = ask(pictures).numpy()
        if answer.shape[1] != len(known):
            raise UserError(
                f"distillation.teacher: {folder} gives {answer.shape[1]} numbers per picture, but "
                f"there are {len(known)} names in "
                f"{'distillation.classes' if settings.classes else CLASSES_FILE}"
            )
        answers.append(answer[:, columns])
        labels += [index[name] for name in names.numpy()]
        progress.report("asking the teacher", len(labels), None, "once per picture")
    targets = as_targets(np.array(labels, np.int64), np.concatenate(answers))
    right = np.mean(targets[:, 1:].argmax(axis=1) == targets[:, 0])
    logging.info("Teacher %s: right on %.4f of %d training pictures", folder, right, len(targets))
    with atomic_file(path) as file:
        np.save(file, targets)
    return targets


def load_teacher(settings: DistillationSettings, folder: Path) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from encoded pictures, string [batch], to log-probabilities, float32 [batch, n].

    Raises:
        UserError: the SavedModel can do more than compute, cannot be loaded, or has not the
            signature that `DistillationSettings` tells.
    """
    require_computing("distillation.teacher", folder)
    try:
        loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # OSError, ValueError, tf.errors.…: damaged files raise them all
        raise UserError(
            f"distillation.teacher: {folder} cannot be loaded ({one_line(error)})"
        ) from error
    signature = loaded.signatures.get(_SIGNATURE)
    if signature is None:
        raise UserError(f"distillation.teacher: {folder} has no signature {_SIGNATURE}")
    prepare = _preparation(signature, settings, folder)
    (name,) = signature.structured_input_signature[1]
    output, is_logits = _output(signature, settings, folder)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def ask(pictures: tf.Tensor) -> tf.Tensor:
        answer = tf.cast(signature(**{name: prepare(pictures)})[output], tf.float32)
        if is_logits:
            return tf.nn.log_softmax(logits_per_class(answer))
        return tf.math.log(tf.maximum(probabilities_per_class(answer), _LEAST_PROBABILITY))

    ask.loaded = loaded  # a signature alone does not keep its variables alive
    return ask


def _preparation(signature, settings: DistillationSettings, folder: Path) -> Callable:
    """From encoded pictures to what the signature takes."""
    inputs = list(signature.structured_input_signature[1].values())
    (spec, *others) = inputs or [None]
    if spec is not None and not others:
        if spec.dtype == tf.string and spec.shape.rank in (None, 1):
            return lambda pictures: pictures
        size = spec.shape[1:3].as_list() if spec.shape.rank == 4 else [None]
        if spec.dtype == tf.float32 and None not in size:
            return lambda pictures: tf.map_fn(
                lambda one: rescale(decode(one, size), settings.value_range),
                pictures,
                fn_output_signature=tf.TensorSpec([*size, 3], tf.float32),
            )
    raise UserError(
        f"distillation.teacher: the signature {_SIGNATURE} of {folder} must take one input: "
        f"encoded pictures, string [batch], or pixels, float32 [batch, size, size, 3]; it takes "
        f"{', '.join(map(str, inputs)) or 'nothing'}"
    )


def _output(signature, settings: DistillationSettings, folder: Path) -> tuple[str, bool]:
    """The output to read, and whether it gives logits."""
    outputs = sorted(signature.structured_outputs)
    for name in (features.PROBABILITIES, "logits"):
        if name in outputs:
            return name, name == "logits"
    if len(outputs) == 1:
        return outputs[0], settings.output == "logits"
    raise UserError(
        f"distillation.teacher: the signature {_SIGNATURE} of {folder} must give `probabilities` "
        f"or `logits`, or one output alone; it gives {', '.join(outputs)}"
    )
