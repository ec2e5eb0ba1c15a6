"""Callbacks: progress, TensorBoard, and an end at a loss that is not finite."""

import math
import time

import keras

from components import progress
from components.errors import UserError


class ReportProgress(keras.callbacks.Callback):
    """Tells the watcher of the run (see `components.progress`) after every batch and epoch."""

    def __init__(self, phase: str):
        super().__init__()
        self._phase = phase
        self._epoch = 0
        self._pace = _Pace()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        steps, epochs = self.params["steps"], self.params["epochs"]
        detail = f"loss {logs['loss']:.3f}, accuracy {logs['accuracy']:.3f}"
        left = steps * (epochs - self._epoch) - (batch + 1)
        progress.report(
            f"{self._phase}, epoch {self._epoch + 1} of {epochs}",
            batch + 1,
            steps,
            detail,
            self._pace.seconds_for(left),
        )

    def on_epoch_end(self, epoch, logs=None):
        figures = {name: float(value) for name, value in logs.items()}
        progress.report_epoch(
            progress.Epoch(self._phase, epoch + 1, self.params["epochs"], figures)
        )


class TensorBoardOfEpochs(keras.callbacks.TensorBoard):
    """Spares the figures of every batch, which TensorBoard would make only to throw them away."""

    def on_train_batch_end(self, batch, logs=None):
        pass


class _Pace:
    """Foresees how long batches take, from those so far, what is between them included.

    The first, in which the network is traced, does not count.
    """

    def __init__(self):
        self._begun, self._batches = 0.0, -1

    def seconds_for(self, batches: int) -> float | None:
        """Seconds for so many more, asked after each; None after the first."""
        self._batches += 1
        if not self._batches:
            self._begun = time.monotonic()
            return None
        return (time.monotonic() - self._begun) / self._batches * batches


class StopWhenNotFinite(keras.callbacks.Callback):
    """Ends the run at the first loss that is not a number: what follows could only be garbage."""

    def __init__(self, key: str):
        """Makes the callback.

        Args:
            key: where the recipe holds the phase's settings.
        """
        super().__init__()
        self._key = key

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise UserError(
                f"{self._key}: the loss is {logs['loss']} at batch {batch + 1}. "
                f"Lower {self._key}.learning_rate"
            )
