"""What a training starts from: devices, pictures, what each of them counts, and the network.

`run_fn` and the learning rate finder take it from here, so that both train the same.
"""

import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components import features
from components.trainer.fitting import devices
from components.trainer.inputs.examples import ExampleReader, count_examples, count_labels
from components.trainer.inputs.phase_inputs import Splits
from components.trainer.network.classifier import build_classifier
from components.trainer.settings.trainer import Precision, TrainerSettings
from components.trainer.targets import pseudo_labels
from components.trainer.targets.class_weights import class_weights
from components.trainer.targets.teacher import teacher_targets


@dataclasses.dataclass(frozen=True)
class TrainingInputs:
    """What every training of a run shares.

    Attributes:
        settings: of the Trainer.
        strategy: to build and train models under.
        precision: what convolutions multiply in, `float32` or `bf16`.
        graph: the Transform graph.
        reader: makes batches of pixels.
        classes: names in the order of the vocabulary.
        labelled_files: example files of the train split, sorted.
        unlabelled_files: those of the split `unlabelled`, sorted.
        validation_files: those of the validation split, sorted.
    """

    settings: TrainerSettings
    strategy: tf.distribute.Strategy
    precision: Precision
    graph: tft.TFTransformOutput
    reader: ExampleReader
    classes: list[str]
    labelled_files: list[str]
    unlabelled_files: list[str]
    validation_files: list[str]


@dataclasses.dataclass(frozen=True)
class TrainingSetup:
    """A network with its initial weights, and what it is to learn.

    Attributes:
        model: from `build_classifier`.
        splits: the examples, with a teacher's answers where there is one.
        class_weights: how much a training picture of each class counts, float [classes]; None: all
            the same.
        judging_weights: how much one counts where epochs and trainings are compared: as it would
            without pictures that a model labelled, so that both trainings are judged alike.
    """

    model: keras.Model
    splits: Splits
    class_weights: np.ndarray | None
    judging_weights: np.ndarray | None


def open_inputs(
    settings: TrainerSettings,
    transform_graph: str,
    train_patterns: str | Iterable[str],
    validation_patterns: str | Iterable[str] = (),
) -> TrainingInputs:
    """Prepares the devices and finds the example files.

    Args:
        settings: of the Trainer.
        transform_graph: folder of the Transform graph.
        train_patterns: globs of the example files of the splits `train` and `unlabelled`.
        validation_patterns: globs of those of the validation split.

    Raises:
        UserError: `training.device` demands a GPU and there is none.
    """
    strategy = devices.prepare(settings.training)
    tft_output = tft.TFTransformOutput(transform_graph)
    # Sorted: what is kept of the pictures on disk goes by their order.
    labelled, unlabelled = pseudo_labels.split_files(_files(train_patterns))
    return TrainingInputs(
        settings=settings,
        strategy=strategy,
        precision=devices.precision_of(settings.training),
        graph=tft_output,
        reader=ExampleReader(tft_output, settings.training.batch_size),
        classes=[c.decode() for c in tft_output.vocabulary_by_name(features.LABEL_VOCABULARY)],
        labelled_files=labelled,
        unlabelled_files=unlabelled,
        validation_files=_files(validation_patterns),
    )


def set_up_training(
    inputs: TrainingInputs, state: Path, own: pseudo_labels.PseudoLabels | None = None
) -> TrainingSetup:
    """Builds the network with its initial weights and weighs the pictures that it is to learn.

    Args:
        inputs: of the run.
        state: folder that keeps a teacher's answers.
        own: pictures that a model labelled, to learn beside the labelled ones; None: none.

    Raises:
        UserError: the weights or the teacher cannot be had, or a class is not there.
    """
    settings, classes = inputs.settings, inputs.classes
    train_files = inputs.labelled_files
    counted = count_labels(train_files)
    counts = {name: counted[name] for name in classes}
    weights = judging_weights = class_weights(settings.training, counts)
    if own:
        train_files = [*train_files, own.file]
        counts = {name: count + own.counts.taken[name] for name, count in counts.items()}
        weights = class_weights(settings.training, counts)
    # What the loss sees of each class.
    priors = np.array(list(counts.values())) * (1.0 if weights is None else weights)
    targets = None
    if settings.distillation:
        targets = teacher_targets(settings.distillation, train_files, classes, state)
    splits = Splits(
        train_files=train_files,
        train_count=sum(counts.values()),
        validation_files=inputs.validation_files,
        validation_count=count_examples(inputs.validation_files),
        train_targets=targets,
        own_count=own.counts.total if own else 0,
    )
    steps = sum(
        math.ceil(splits.train_count / phase.batch_size) * phase.epochs
        for phase in settings.training.phases.values()
    )
    keras.utils.set_random_seed(settings.seed)
    with inputs.strategy.scope():
        model = build_classifier(
            settings.backbone, settings.head, len(classes), steps, priors.tolist()
        )
    return TrainingSetup(model, splits, weights, judging_weights)


def _files(patterns: str | Iterable[str]) -> list[str]:
    """The files of glob patterns, sorted."""
    return sorted(tf.io.gfile.glob(patterns if isinstance(patterns, str) else list(patterns)))
