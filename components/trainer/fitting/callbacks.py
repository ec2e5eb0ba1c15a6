"""Callbacks: progress, and an end at a loss that is not finite."""

import math

import keras

from components import progress
from components.errors import UserError


class ReportProgress(keras.callbacks.Callback):
    """Tells the watcher of the run (see `components.progress`) after every batch."""

    def __init__(self, phase: str):
        super().__init__()
        self._phase = phase
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        steps, epochs = self.params["steps"], self.params["epochs"]
        detail = f"loss {logs['loss']:.3f}, accuracy {logs['accuracy']:.3f}"
        progress.report(
            f"{self._phase}, epoch {self._epoch + 1} of {epochs}", batch + 1, steps, detail
        )


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
