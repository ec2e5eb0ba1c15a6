"""Trains the phases: by default one for the head, one for the backbone's last layers too."""

import errno
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from components import progress
from components.errors import UserError
from components.trainer.fitting.callbacks import (
    ReportProgress,
    StopWhenNotFinite,
    TensorBoardOfEpochs,
)
from components.trainer.fitting.checkpoint import Checkpoint
from components.trainer.fitting.head_solver import solve_head
from components.trainer.fitting.losses import make_loss
from components.trainer.fitting.metrics import Accuracy, WeightedAccuracy
from components.trainer.fitting.optimizers import make_optimizer
from components.trainer.inputs.phase_inputs import PhaseInput
from components.trainer.network.classifier import (
    backbone_variables,
    count_parameters,
    set_learning,
)
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.settings.trainer import PhaseSettings, TrainingSettings
from components.trainer.targets.distillation import DistillationLoss
from components.trainer.targets.labels import with_weights
from components.trainer.training_report import PhaseResult


def run_phases(
    model: keras.Model,
    inputs: Mapping[str, PhaseInput],
    settings: TrainingSettings,
    train_count: int,
    log_dir: str,
    state: Path,
    class_weights: np.ndarray | None = None,
    judging_weights: np.ndarray | None = None,
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
        class_weights: how much a training picture of each class counts, float [classes]; None: all
            the same. Validation loss and accuracy are without it.
        judging_weights: how much one counts in the choice of the best epoch, float [classes]; None:
            all the same.
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
        folder = os.path.join(log_dir, name)
        compile_for_phase(inputs[name].model, phase, steps, settings, distillation, judging_weights)
        if phase.is_solved:
            _solve(name, inputs[name], steps, checkpoint, class_weights)
        else:
            key = settings.key(name)
            _fit(name, key, inputs[name], phase, steps, checkpoint, folder, class_weights)
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
    judging_weights: np.ndarray | None = None,
) -> None:
    """Compiles a model that gives logits.

    Args:
        model: the classifier or the rest of it.
        phase: its optimizer and how the rate goes.
        steps: per epoch.
        settings: the block `training`, for the loss.
        distillation: how much a teacher's answers count in it; None: there are none.
        judging_weights: see `run_phases`.
    """
    outputs = model.output_shape[-1]
    loss = make_loss(settings, outputs)
    model.compile(
        optimizer=make_optimizer(phase, steps, backbone_variables(model)),
        loss=DistillationLoss(loss, distillation) if distillation else loss,
        metrics=[
            Accuracy(),
            *([] if judging_weights is None else [WeightedAccuracy(judging_weights)]),
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
    class_weights: np.ndarray | None,
) -> None:
    """Trains one phase, from where an interrupted one left it, to the weights of its best epoch."""
    model = phase_input.model
    model.optimizer.build(model.trainable_variables)
    checkpoint.restore(model)
    callbacks = [
        ReportProgress(name),
        StopWhenNotFinite(key),
        checkpoint,
        TensorBoardOfEpochs(log_dir=log_dir, write_graph=False),
    ]
    try:
        if not checkpoint.finished:
            model.fit(
                with_weights(phase_input.training(checkpoint.next_epoch), class_weights),
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


def _solve(
    name: str,
    phase_input: PhaseInput,
    steps: int,
    checkpoint: Checkpoint,
    class_weights: np.ndarray | None,
) -> None:
    """Solves the head, unless an interrupted run has: a phase with one entry in its history."""
    model = phase_input.model
    checkpoint.restore(model)
    if not checkpoint.finished:
        solve_head(model, phase_input.kept, class_weights, name)
        logs = model.evaluate(
            with_weights(phase_input.training(0), class_weights),
            steps=steps,
            return_dict=True,
            verbose=0,
        )
        validation = model.evaluate(phase_input.validation, return_dict=True, verbose=0)
        checkpoint.set_model(model)
        figures = logs | {f"val_{key}": value for key, value in validation.items()}
        checkpoint.on_epoch_end(0, figures)
        progress.report_epoch(progress.Epoch(name, 1, 1, figures))
    checkpoint.end_with_best(model)
