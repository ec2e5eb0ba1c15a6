"""Two phases: the frozen one trains the head, the unfrozen one the backbone's last layers too."""

import dataclasses
import math
import os
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.trainer.callbacks import make_callbacks
from components.trainer.config import PhaseSettings, TrainingSettings
from components.trainer.model import ParameterCount, count_parameters, freeze, unfreeze
from components.trainer.schedules import learning_rate

FROZEN = "frozen"
UNFROZEN = "unfrozen"

# In the ModelRun artifact, beside the TensorBoard logs.
TRAINING_FILE = "training.json"

_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}


@dataclasses.dataclass(frozen=True)
class PhaseResult:
    """What a phase came to.

    Attributes:
        name: `frozen` or `unfrozen`.
        parameters: how much of the network learned.
        history: `loss`, `accuracy`, `val_loss` and `val_accuracy`, one float per epoch each.
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


def run_phases(
    model: keras.Model,
    training: tf.data.Dataset,
    validation: tf.data.Dataset,
    settings: TrainingSettings,
    train_count: int,
    log_dir: str,
) -> tuple[list[PhaseResult], PhaseResult]:
    """Trains in two phases and leaves the model with the weights of the better one.

    Args:
        model: from `build_classifier`.
        training: endless batches of (pixels, label), see `ExampleReader.training_batches`.
        validation: batches of (pixels, label), once.
        settings: the block `training`.
        train_count: training pictures per epoch.
        log_dir: folder for TensorBoard, one sub-folder per phase.

    Returns:
        The phases that were run, and the one whose weights were kept.

    Raises:
        ValueError: the loss is not finite.
    """
    results: list[PhaseResult] = []
    kept: tuple[PhaseResult, list[np.ndarray]] | None = None
    steps = math.ceil(train_count / settings.batch_size)
    for name, phase in ((FROZEN, settings.frozen), (UNFROZEN, settings.unfrozen)):
        if phase.epochs == 0:
            continue
        if name == FROZEN:
            freeze(model)
        else:
            unfreeze(model, phase.fine_tune_at)
        result = _run_phase(
            name, model, training, validation, phase, steps, os.path.join(log_dir, name)
        )
        results.append(result)
        if kept is None or _rank(result) >= _rank(kept[0]):
            kept = result, model.get_weights()
    model.set_weights(kept[1])
    return results, kept[0]


def _rank(result: PhaseResult) -> tuple[float, float]:
    return result.val_accuracy, -result.val_loss


def _run_phase(
    name: str,
    model: keras.Model,
    training: tf.data.Dataset,
    validation: tf.data.Dataset,
    settings: PhaseSettings,
    steps: int,
    log_dir: str,
) -> PhaseResult:
    binary = model.output_shape[-1] == 1
    losses, metrics = keras.losses, keras.metrics
    model.compile(
        optimizer=_OPTIMIZERS[settings.optimizer](learning_rate(settings, steps)),
        loss=losses.BinaryCrossentropy(from_logits=True)
        if binary
        else losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[
            metrics.BinaryAccuracy("accuracy", threshold=0.0)
            if binary
            else metrics.SparseCategoricalAccuracy("accuracy")
        ],
        # XLA takes minutes to compile a backbone on a CPU, far longer than a small training.
        jit_compile=False,
    )
    start = time.monotonic()
    history = model.fit(
        training,
        epochs=settings.epochs,
        steps_per_epoch=steps,
        validation_data=validation,
        callbacks=make_callbacks(name, settings, log_dir),
        verbose=0,
    ).history
    return PhaseResult(
        name=name,
        parameters=count_parameters(model),
        history={key: [float(value) for value in values] for key, values in history.items()},
        best_epoch=int(np.argmin(history["val_loss"])),
        seconds=time.monotonic() - start,
    )


def as_json(results: list[PhaseResult], kept: PhaseResult) -> dict[str, Any]:
    """What `TRAINING_FILE` holds."""
    return {
        "kept": kept.name,
        "phases": [
            {**dataclasses.asdict(r), "val_accuracy": r.val_accuracy, "val_loss": r.val_loss}
            for r in results
        ],
    }
