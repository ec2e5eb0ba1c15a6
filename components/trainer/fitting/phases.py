"""Phase after phase: by default one that trains the head, one the backbone's last layers too."""

import dataclasses
import errno
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.errors import UserError
from components.trainer.fitting.callbacks import ReportProgress, StopWhenNotFinite
from components.trainer.fitting.checkpoint import Checkpoint, ranks
from components.trainer.fitting.losses import make_loss
from components.trainer.fitting.metrics import Accuracy, WeightedAccuracy
from components.trainer.fitting.optimizers import make_optimizer
from components.trainer.inputs.phase_inputs import PhaseInput
from components.trainer.network.classifier import (
    ParameterCount,
    backbone_variables,
    count_parameters,
    set_learning,
)
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.settings.trainer import PhaseSettings, TrainingSettings
from components.trainer.targets.distillation import DistillationLoss
from components.trainer.targets.labels import labels_of
from components.trainer.targets.pseudo_labels import PseudoLabels

# In the ModelRun artifact, beside the TensorBoard logs.
TRAINING_FILE = "training.json"


@dataclasses.dataclass(frozen=True)
class PhaseResult:
    """What a phase came to.

    Attributes:
        name: as in the recipe; `frozen` and `unfrozen` by default.
        parameters: how much of the network learned.
        history: `loss`, `accuracy`, `val_loss` and `val_accuracy`, with class weights also
            `weighted_accuracy` and `val_weighted_accuracy`, one float per epoch each.
        best_epoch: index of the epoch whose weights the phase ended with.
        seconds: wall time.
    """

    name: str
    parameters: ParameterCount
    history: dict[str, list[float]]
    best_epoch: int
    seconds: float

    @property
    def val_accuracy(self) -> float:
        """Validation accuracy of the weights that the phase ended with."""
        return self.history["val_accuracy"][self.best_epoch]

    @property
    def val_loss(self) -> float:
        """Validation loss of the weights that the phase ended with."""
        return self.history["val_loss"][self.best_epoch]

    @property
    def rank(self) -> tuple[float, float]:
        """Orders phases from worse to better."""
        return ranks(self.history)[self.best_epoch]


def run_phases(
    model: keras.Model,
    inputs: Mapping[str, PhaseInput],
    settings: TrainingSettings,
    train_count: int,
    log_dir: str,
    state: Path,
    class_weight: Mapping[int, float] | None = None,
    distillation: DistillationSettings | None = None,
) -> tuple[list[PhaseResult], PhaseResult]:
    """Trains phase after phase and leaves the model with the weights of the best one.

    Args:
        model: from `build_classifier`.
        inputs: what each phase trains and on what, see `phase_inputs`.
        settings: the block `training`.
        train_count: training pictures per epoch.
        log_dir: folder for TensorBoard, one sub-folder per phase.
        state: folder in which an interrupted training finds itself again.
        class_weight: how much a training picture counts, by index of its class; None: all the
            same. Validation loss and accuracy are without it; the best epoch is chosen with it.
        distillation: how much a teacher's answers count; None: there are none.

    Returns:
        The phases that were run, and the one whose weights were kept.

    Raises:
        UserError: the loss is not finite, or a batch does not fit into the device's memory.
    """
    results: list[PhaseResult] = []
    kept: tuple[PhaseResult, list[np.ndarray]] | None = None
    for name, phase in settings.phases.items():
        set_learning(model, phase)
        checkpoint = Checkpoint(state / f"{name}.npz", phase.epochs, phase.early_stopping.patience)
        start = time.monotonic()
        steps = math.ceil(train_count / phase.batch_size)
        compile_for_phase(inputs[name].model, phase, steps, settings, distillation, class_weight)
        folder = os.path.join(log_dir, name)
        _fit(name, settings.key(name), inputs[name], phase, steps, checkpoint, folder, class_weight)
        result = PhaseResult(
            name=name,
            parameters=count_parameters(model),
            history=checkpoint.history,
            best_epoch=checkpoint.best_epoch,
            seconds=time.monotonic() - start,
        )
        results.append(result)
        if kept is None or result.rank >= kept[0].rank:
            kept = result, model.get_weights()
    model.set_weights(kept[1])
    return results, kept[0]


def compile_for_phase(
    model: keras.Model,
    phase: PhaseSettings,
    steps: int,
    settings: TrainingSettings,
    distillation: DistillationSettings | None = None,
    class_weight: Mapping[int, float] | None = None,
) -> None:
    """Compiles a model that gives logits.

    Args:
        model: the classifier or the rest of it.
        phase: its optimizer and how the rate goes.
        steps: per epoch.
        settings: the block `training`, for the loss.
        distillation: how much a teacher's answers count in it; None: there are none.
        class_weight: how much a picture counts in the choice of the best epoch, by index of its
            class; None: all the same.
    """
    outputs = model.output_shape[-1]
    loss = make_loss(settings, outputs)
    model.compile(
        optimizer=make_optimizer(phase, steps, backbone_variables(model)),
        loss=DistillationLoss(loss, distillation) if distillation else loss,
        metrics=[
            Accuracy(outputs),
            *([WeightedAccuracy(outputs, class_weight)] if class_weight else []),
        ],
        # XLA takes minutes to compile a backbone on a CPU, far longer than a small training.
        jit_compile=False,
    )


def _fit(
    name: str,
    key: str,
    phase_input: PhaseInput,
    phase: PhaseSettings,
    steps: int,
    checkpoint: Checkpoint,
    log_dir: str,
    class_weight: Mapping[int, float] | None,
) -> None:
    """Trains one phase, from where an interrupted one left it, to the weights of its best epoch."""
    model = phase_input.model
    model.optimizer.build(model.trainable_variables)
    checkpoint.restore(model)
    callbacks = [
        ReportProgress(name),
        StopWhenNotFinite(key),
        checkpoint,
        keras.callbacks.TensorBoard(log_dir=log_dir, write_graph=False),
    ]
    try:
        if not checkpoint.finished:
            model.fit(
                _weighted(phase_input.training(checkpoint.next_epoch), class_weight),
                initial_epoch=checkpoint.next_epoch,
                epochs=phase.epochs,
                steps_per_epoch=steps,
                validation_data=phase_input.validation,
                callbacks=callbacks,
                shuffle=False,  # the dataset has its own order, and Keras 3.15 warns
                verbose=0,
            )
    except tf.errors.ResourceExhaustedError as error:
        if os.strerror(errno.ENOSPC) in str(error):  # a disk, not a device
            raise
        raise UserError(
            f"{key}.batch_size: {phase.batch_size} pictures at once do not fit into the "
            f"device's memory; try {max(1, phase.batch_size // 2)}"
        ) from error
    checkpoint.end_with_best(model)


def _weighted(
    batches: tf.data.Dataset, class_weight: Mapping[int, float] | None
) -> tf.data.Dataset:
    """Batches of (input, target, weight); Keras' own `class_weight` knows no teacher's answers."""
    if class_weight is None:
        return batches
    weights = tf.constant([class_weight[index] for index in range(len(class_weight))])
    return batches.map(lambda x, y: (x, y, tf.gather(weights, tf.cast(labels_of(y), tf.int64))))


def as_json(
    results: list[PhaseResult], kept: PhaseResult, taken: PseudoLabels | None = None
) -> dict[str, Any]:
    """What `TRAINING_FILE` holds.

    Args:
        results: all phases that were run.
        kept: the one whose weights were kept.
        taken: pictures that a model labelled; None: none were asked for.
    """
    labels = {"unlabelled": taken.unlabelled, "taken": taken.taken} if taken else None
    return {
        "kept": kept.name,
        "pseudo_labels": labels,
        "phases": [
            {**dataclasses.asdict(r), "val_accuracy": r.val_accuracy, "val_loss": r.val_loss}
            for r in results
        ],
    }
