"""Keeps the best epoch of a phase, ends the phase when it stops getting better, survives a kill."""

import json
from pathlib import Path

import keras
import numpy as np

from components.files import atomic_file
from components.trainer import kept_files
from components.trainer.ranking import ranks

_META = "meta"


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole state of a phase after every epoch, and ends it with its best weights.

    Keras' own pair, BackupAndRestore and EarlyStopping, forgets in a restart which epoch was best
    and how the epochs before it went.

    Attributes:
        history: values by metric, one float per epoch, those before a restart included.
        best_epoch: index of the best epoch, see `ranks`.
    """

    def __init__(self, path: Path, epochs: int, patience: int):
        """Makes the callback.

        Args:
            path: file of the state.
            epochs: the most there will be.
            patience: epochs without a better one after which the phase ends; 0: never.
        """
        super().__init__()
        self._path = path
        self._epochs = epochs
        self._patience = patience or epochs
        self._best_weights: list[np.ndarray] = []
        self.history: dict[str, list[float]] = {}
        self.best_epoch = -1

    @property
    def next_epoch(self) -> int:
        """How many epochs are done."""
        return len(self.history.get("val_loss", ()))

    @property
    def finished(self) -> bool:
        """Whether all epochs are done or the patience is at its end."""
        waited = self.next_epoch - 1 - self.best_epoch
        return self.next_epoch >= self._epochs or (self.next_epoch > 0 and waited >= self._patience)

    def restore(self, model: keras.Model) -> None:
        """Puts a compiled model back where a killed run left it; does nothing if there was none.

        A damaged file counts as none: it is named in a warning, and the phase begins anew.
        """
        state = kept_files.read_arrays(self._path)
        if state is None:
            return
        variables = _variables(model)
        try:
            meta = json.loads(str(state[_META]))
            history, best_epoch = meta["history"], meta["best_epoch"]
            now = [_of_shape(state[f"now-{i}"], v) for i, v in enumerate(variables)]
            best = [_of_shape(state[f"best-{i}"], w) for i, w in enumerate(model.weights)]
        except kept_files.DAMAGE as error:
            kept_files.discard_damaged(self._path, error)
            return
        for variable, value in zip(variables, now, strict=True):
            variable.assign(value)
        self.history, self.best_epoch, self._best_weights = history, best_epoch, best

    def end_with_best(self, model: keras.Model) -> None:
        """Gives the model the weights of its best epoch."""
        model.set_weights(self._best_weights)

    def on_epoch_end(self, epoch, logs=None):
        if self.model.optimizer:
            logs = logs | {"learning_rate": self.model.optimizer.learning_rate}
        for name, value in logs.items():
            self.history.setdefault(name, []).append(float(value))
        of_epochs = ranks(self.history)
        if self.best_epoch < 0 or of_epochs[-1] > of_epochs[self.best_epoch]:
            self.best_epoch = epoch
            self._best_weights = self.model.get_weights()
        self._save()
        self.model.stop_training = self.finished

    def _save(self) -> None:
        meta = json.dumps({"history": self.history, "best_epoch": self.best_epoch})
        now = {f"now-{i}": np.asarray(v) for i, v in enumerate(_variables(self.model))}
        best = {f"best-{i}": w for i, w in enumerate(self._best_weights)}
        with atomic_file(self._path) as file:
            np.savez(file, **{_META: np.array(meta)}, **now, **best)


def _variables(model: keras.Model) -> list[keras.Variable]:
    """All that an epoch changes: weights, the state of dropout's random numbers, the optimizer."""
    return [*model.variables, *(model.optimizer.variables if model.optimizer else ())]


def _of_shape(value: np.ndarray, variable: keras.Variable) -> np.ndarray:
    """The value, if it fits the variable.

    Raises:
        ValueError: it does not.
    """
    if value.shape != tuple(variable.shape):
        raise ValueError(f"it holds {value.shape} where {tuple(variable.shape)} belongs")
    return value
