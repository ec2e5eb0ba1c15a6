"""What each phase trains: the whole classifier on pixels, or the rest of it on kept activations."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from components.trainer import prefix_cache
from components.trainer.config import PhaseSettings
from components.trainer.dataset import ExampleReader
from components.trainer.graph_cut import deepest_frozen_tensor
from components.trainer.model import learning_layers, rest_of

TRAIN = "train"
VALIDATION = "validation"


@dataclasses.dataclass(frozen=True)
class PhaseInput:
    """A model and what to feed it with.

    Attributes:
        model: shares its variables with the classifier.
        training: endless batches of (input, label), from the given epoch on.
        validation: batches of (input, label), once.
    """

    model: keras.Model
    training: Callable[[int], tf.data.Dataset]
    validation: tf.data.Dataset


@dataclasses.dataclass(frozen=True)
class Splits:
    """The example files of training and validation, and how many pictures they hold."""

    train_files: Sequence[str]
    train_count: int
    validation_files: Sequence[str]
    validation_count: int


def direct_input(
    model: keras.Model, reader: ExampleReader, splits: Splits, seed: int
) -> PhaseInput:
    """Fresh views in every epoch, through the whole network."""
    return PhaseInput(
        model,
        lambda first: reader.training_batches(splits.train_files, splits.train_count, seed, first),
        reader.view_batches(splits.validation_files, splits.validation_count),
    )


def phase_inputs(
    model: keras.Model,
    phases: Mapping[str, PhaseSettings],
    reader: ExampleReader,
    splits: Splits,
    views: int | None,
    batch_size: int,
    seed: int,
    folder: pathlib.Path,
) -> dict[str, PhaseInput]:
    """The input of every phase.

    Args:
        model: the classifier.
        phases: settings by name, in the order in which they will run.
        reader: makes batches of pixels.
        splits: the examples.
        views: views of a training picture for the whole training, or None for fresh ones.
        batch_size: pictures per batch.
        seed: fixes order and views.
        folder: for what is kept on disk.

    Raises:
        ValueError: the disk is too small for that.
    """
    direct = direct_input(model, reader, splits, seed)
    inputs = dict.fromkeys(phases, direct)
    tensors = _tensors_to_keep(model, phases) if views else {}
    if not tensors:
        return inputs
    total = splits.train_count * views + splits.validation_count
    prefix_cache.require_space(tensors, total, folder)
    encoder = keras.Model(model.get_layer("backbone").network.input, tensors)
    kept = {}
    for name, files, count, numbers in (
        (TRAIN, splits.train_files, splits.train_count, list(range(1, views + 1))),
        (VALIDATION, splits.validation_files, splits.validation_count, [0]),
    ):
        kept[name] = prefix_cache.encode(
            name,
            encoder,
            tensors,
            lambda view, files=files, count=count: reader.view_batches(files, count, view),
            numbers,
            count,
            folder,
        )
    for name, tensor in tensors.items():
        train, validation = kept[TRAIN][name], kept[VALIDATION][name]
        inputs[name] = PhaseInput(
            rest_of(model, tensor),
            lambda first, train=train: train.training_batches(batch_size, seed, first),
            validation.validation_batches(batch_size),
        )
    return inputs


def _tensors_to_keep(
    model: keras.Model, phases: Mapping[str, PhaseSettings]
) -> dict[str, keras.KerasTensor]:
    """By phase, the tensor to train from; phases that must start from the pixels are left out."""
    network = model.get_layer("backbone").network
    tensors, learned = {}, set()
    for name, phase in phases.items():
        # What an earlier phase changed is not what was kept.
        learned |= learning_layers(network, phase)
        cut = deepest_frozen_tensor(network, learned)
        if cut is network.output:
            tensors[name] = model.get_layer("pooling")(cut)
        elif cut is not network.input:
            tensors[name] = cut
    return tensors
