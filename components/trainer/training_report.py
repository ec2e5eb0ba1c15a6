"""The outcome of a training: `training.json` in the ModelRun artifact, beside the TensorBoard logs.

Everybody who writes or reads that file does it here.
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from components.files import write_atomically
from components.trainer.ranking import ranks

TRAINING_FILE = "training.json"
VIEWS_FILE = "views.jpg"
"""Beside it: a training picture as it is, and its augmented views, in a row."""


@dataclasses.dataclass(frozen=True)
class ParameterCount:
    """How much of a network learns: scalars, and the variables that hold them."""

    trainable: int
    total: int
    trainable_variables: int


@dataclasses.dataclass(frozen=True)
class PhaseResult:
    """The outcome of one phase.

    Attributes:
        name: as in the recipe; `frozen` and `unfrozen` by default.
        parameters: how much of the network learned.
        history: `loss`, `accuracy`, `val_loss` and `val_accuracy`, with class weights also
            `weighted_accuracy` and `val_weighted_accuracy`, and unless the phase was solved
            `learning_rate`, at the end of the epoch; one float per epoch each.
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


@dataclasses.dataclass(frozen=True)
class PseudoLabelCounts:
    """How many pictures a model labelled.

    Attributes:
        unlabelled: pictures that it was asked about.
        taken: those that it was sure of, by the class that it gave them.
    """

    unlabelled: int
    taken: dict[str, int]

    @property
    def total(self) -> int:
        """Pictures that it was sure of."""
        return sum(self.taken.values())


@dataclasses.dataclass(frozen=True)
class TrainingReport:
    """The outcome of a training.

    Attributes:
        phases: all phases that were run, in their order.
        kept: name of the one whose weights are exported.
        pseudo_labels: pictures that a model labelled; None: none were asked for.
        precision: what convolutions multiplied in on a CPU, `float32` or `bf16`.
        temperature: by which the served model divides its logits; None: by none.
    """

    phases: list[PhaseResult]
    kept: str
    pseudo_labels: PseudoLabelCounts | None = None
    precision: str = "float32"
    temperature: float | None = None

    @property
    def kept_phase(self) -> PhaseResult:
        """The phase whose weights are exported."""
        return next(phase for phase in self.phases if phase.name == self.kept)

    def write(self, folder: str) -> None:
        """Writes `training.json`.

        Args:
            folder: of the ModelRun artifact.
        """
        write_atomically(Path(folder, TRAINING_FILE), json.dumps(self._as_json(), indent=1))

    @classmethod
    def read(cls, folder: str | os.PathLike) -> "TrainingReport":
        """Reads what `write` wrote.

        Args:
            folder: of the ModelRun artifact.

        Raises:
            FileNotFoundError: there is no `training.json` in it.
        """
        return cls.from_json(Path(folder, TRAINING_FILE).read_text(encoding="utf-8"))

    @classmethod
    def from_json(cls, text: str) -> "TrainingReport":
        """Reads the content of `training.json`.

        Raises:
            ValueError, TypeError, KeyError: it is damaged.
        """
        values = json.loads(text)
        labels = values["pseudo_labels"]
        return cls(
            phases=[_phase(phase) for phase in values["phases"]],
            kept=values["kept"],
            pseudo_labels=PseudoLabelCounts(**labels) if labels else None,
            precision=values.get("precision", "float32"),
            temperature=values.get("temperature"),
        )

    def _as_json(self) -> dict[str, Any]:
        values = dataclasses.asdict(self)
        for phase, written in zip(self.phases, values["phases"], strict=True):
            # For people who read the file; `read` computes them again.
            written |= {"val_accuracy": phase.val_accuracy, "val_loss": phase.val_loss}
        return values


def _phase(values: dict[str, Any]) -> PhaseResult:
    names = {field.name for field in dataclasses.fields(PhaseResult)}
    given = {name: values[name] for name in names if name in values}
    return PhaseResult(**given | {"parameters": ParameterCount(**given["parameters"])})
