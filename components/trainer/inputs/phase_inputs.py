"""What each phase trains: the whole classifier on pixels, or the rest of it on kept activations."""

import dataclasses
import functools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from components import features
from components.trainer.inputs import activation_cache, constant_graph
from components.trainer.inputs.examples import ExampleReader
from components.trainer.inputs.frozen_prefix import deepest_frozen_tensor
from components.trainer.network.classifier import learning_layers, tail_from
from components.trainer.settings.trainer import PhaseSettings, Precision

# Under this name the pictures that a model has labelled are kept.
_OWN = "pseudo-labels"


@dataclasses.dataclass(frozen=True)
class PhaseInput:
    """A model and its batches for training and validation.

    Attributes:
        model: shares its variables with the classifier.
        training: endless batches of (input, label or target), from the given epoch on.
        validation: batches of (input, label), once.
        kept: the activations that both are made of, by split; None: there are none.
    """

    model: keras.Model
    training: Callable[[int], tf.data.Dataset]
    validation: tf.data.Dataset
    kept: Mapping[str, activation_cache.Cached] | None = None


@dataclasses.dataclass(frozen=True)
class Splits:
    """The example files of training and validation, and how many pictures they hold.

    Attributes:
        train_targets: what the training pictures are to be learned as, in the files' order, see
            `distillation`; None: their labels.
        own_count: how many of the training pictures, those of the last file, a model has labelled.
    """

    train_files: Sequence[str]
    train_count: int
    validation_files: Sequence[str]
    validation_count: int
    train_targets: np.ndarray | None = None
    own_count: int = 0


def direct_input(
    model: keras.Model, reader: ExampleReader, splits: Splits, batch_size: int, seed: int
) -> PhaseInput:
    """Fresh views in every epoch, through the whole network."""
    reader = reader.with_batch_size(batch_size)
    return PhaseInput(
        model,
        lambda first: reader.training_batches(
            splits.train_files,
            splits.train_count,
            seed,
            first,
            splits.train_targets,
            splits.own_count,
        ),
        reader.view_batches(splits.validation_files, splits.validation_count),
    )


def phase_inputs(
    model: keras.Model,
    phases: Mapping[str, PhaseSettings],
    reader: ExampleReader,
    splits: Splits,
    views: int | None,
    seed: int,
    folder: Path,
    reserved_bytes: int = 0,
    precision: Precision = "float32",
) -> dict[str, PhaseInput]:
    """The input of every phase.

    Args:
        model: the classifier.
        phases: settings by name, in the order in which they will run, with their batch sizes.
        reader: makes batches of pixels.
        splits: the examples.
        views: views of a training picture for the whole training, or None for fresh ones.
        seed: fixes order and views.
        folder: for what is kept on disk. A training on further pictures, which begins with the same
            weights, finds there what is kept of the others.
        reserved_bytes: what must be left on that disk.
        precision: what the backbone's convolutions multiply in, `float32` or `bf16`.

    Raises:
        UserError: the disk is too small for that.
    """
    network = model.get_layer("backbone").network
    tensors = _tensors_to_keep(model, phases) if views else {}
    sizes = {name: phase.batch_size for name, phase in phases.items()}
    direct = [name for name in phases if name not in tensors]
    whole = tail_from(model, network.input, precision) if direct else None
    inputs = {name: direct_input(whole, reader, splits, sizes[name], seed) for name in direct}
    if not tensors:
        return inputs
    # Phases that train from the same tensor share what is kept, under the name of the first.
    kept_as = {
        name: next(other for other, tensor in tensors.items() if tensor is tensors[name])
        for name in tensors
    }
    distinct = {name: tensors[name] for name in kept_as.values()}
    files, count, own = splits.train_files, splits.train_count, splits.own_count
    numbers = range(1, views + 1)
    parts = [
        (features.TRAIN, files[:-1] if own else files, count - own, numbers),
        *([(_OWN, files[-1:], own, numbers)] if own else []),
        (features.VALIDATION, splits.validation_files, splits.validation_count, (0,)),
    ]
    to_encode = 0
    for name, _, count, numbers in parts:
        if not activation_cache.is_complete(name, folder):
            to_encode += len(numbers) * count
            for left in folder.glob(f"{name}-*"):  # a killed encoding had taken all of its disk
                left.unlink()
    activation_cache.require_space(distinct, to_encode, folder, reserved_bytes)
    encoder = keras.Model(network.input, distinct)
    # One graph for both splits: it takes seconds to make.
    graph = functools.cache(functools.partial(constant_graph.inference, encoder))
    kept = {}
    for name, files, count, numbers in parts:
        kept[name] = activation_cache.encode(
            name,
            graph,
            distinct,
            functools.partial(reader.view_batches, files, count, numbers),
            len(numbers),
            count,
            folder,
        )
    for key, added in kept.pop(_OWN, {}).items():
        kept[features.TRAIN][key] = activation_cache.joined(kept[features.TRAIN][key], added)
    for name, tensor in tensors.items():
        inputs[name] = _cached_input(
            tail_from(model, tensor, precision),
            {split: by_name[kept_as[name]] for split, by_name in kept.items()},
            sizes[name],
            seed,
            splits.train_targets,
        )
    return inputs


def _cached_input(
    model: keras.Model,
    kept: Mapping[str, activation_cache.Cached],
    batch_size: int,
    seed: int,
    targets: np.ndarray | None,
) -> PhaseInput:
    """The kept views, through the rest of the network."""
    return PhaseInput(
        model,
        lambda first: kept[features.TRAIN].training_batches(batch_size, seed, first, targets),
        kept[features.VALIDATION].validation_batches(batch_size),
        kept,
    )


def _tensors_to_keep(
    model: keras.Model, phases: Mapping[str, PhaseSettings]
) -> dict[str, keras.KerasTensor]:
    """By phase, the tensor to train from; phases that must start from the pixels are left out."""
    network = model.get_layer("backbone").network
    tensors, learned, pooled = {}, set(), None
    for name, phase in phases.items():
        # What an earlier phase changed is not what was kept.
        learned |= learning_layers(network, phase)
        cut = deepest_frozen_tensor(network, learned)
        if cut is network.output:
            pooled = model.get_layer("pooling")(cut) if pooled is None else pooled
            tensors[name] = pooled
        elif math.prod(cut.shape[1:]) < math.prod(network.input.shape[1:]):
            tensors[name] = cut
        else:
            # A wider tensor lies just behind the pixels (in NASNet, whose cells all take two, it is
            # the only one): keeping it would take more disk than it saves time.
            logging.info("%s: every epoch starts from the pixels of fresh views", name)
    return tensors
