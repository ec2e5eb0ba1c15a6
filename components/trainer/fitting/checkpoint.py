"""Keeps the best epoch of a phase, ends the phase when it stops getting better, survives a kill."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

_META = "meta"


def rank(val_accuracy: float, val_loss: float) -> tuple[float, float]:
    """Orders epochs, and phases, from worse to better.

    Accuracy first: a network that fine-tunes goes on classifying better when its loss has begun to
    grow, because it gets surer of its few mistakes (Guo et al., "On Calibration of Modern Neural
    Networks", arXiv:1706.04599). Among equals the lower loss.
    """
    return val_accuracy, -val_loss


def ranks(history: Mapping[str, Sequence[float]]) -> list[tuple[float, float]]:
    """The rank of each epoch.

    With class weights it goes by the weighted accuracy: by the plain one, an epoch that overlooks a
    rare class would win, and undo what the weights are for.

    Args:
        history: figure by name, one float per epoch.
    """
    accuracy = history.get("val_weighted_accuracy", history["val_accuracy"])
    return [*map(rank, accuracy, history["val_loss"])]


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole state of a phase after every epoch, and ends it with its best weights.

    Keras' own pair, BackupAndRestore and EarlyStopping, forgets in a restart which epoch was best
    and how the epochs before it went.

    Attributes:
        history: figure by name, one float per epoch, those before a restart included.
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
        """Puts a compiled model back where a killed run left it; does nothing if there was none."""
        if not self._path.exists():
            return
        with np.load(self._path, allow_pickle=False) as state:
            meta = json.loads(str(state[_META]))
            for index, variable in enumerate(_variables(model)):
                variable.assign(state[f"now-{index}"])
            self._best_weights = [state[f"best-{i}"] for i in range(len(model.weights))]
        self.history, self.best_epoch = meta["history"], meta["best_epoch"]

    def end_with_best(self, model: keras.Model) -> None:
        """Gives the model the weights of its best epoch."""
        model.set_weights(self._best_weights)

    def on_epoch_end(self, epoch, logs=None):
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
        unfinished = self._path.with_suffix(".tmp")
        with unfinished.open("wb") as file:
            np.savez(file, **{_META: np.array(meta)}, **now, **best)
        unfinished.replace(self._path)


def _variables(model: keras.Model) -> list[keras.Variable]:
    """All that an epoch changes: weights, the state of dropout's random numbers, the optimizer."""
    return [*model.variables, *model.optimizer.variables]
