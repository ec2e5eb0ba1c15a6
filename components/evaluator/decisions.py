"""All rows of the Evaluator's gates, from the rows of the predictions alone."""

import dataclasses

import pandas as pd

from components.evaluator.absolute import absolute_gates
from components.evaluator.config import EvaluationSettings
from components.evaluator.found_slices import found_slices_gate
from components.evaluator.paired import Change, FairPlay, changed_answers, paired_gates
from components.evaluator.slices import Slice, cut, find_column
from components.gates import Gate
from components.predictions import Predictions, fact_columns


@dataclasses.dataclass(frozen=True)
class Decision:
    """What the Evaluator says.

    Attributes:
        gates: a model with a `fail` among them is not blessed.
        changes: the pictures on which exactly one of the model and the served one is right.
    """

    gates: list[Gate]
    changes: list[Change]


def decide(
    predictions: Predictions, settings: EvaluationSettings, note: str, fair_play: FairPlay
) -> Decision:
    """Decides about a model.

    Args:
        predictions: its answers, and those of the served one unless `note` says why not.
        settings: what must be proved.
        note: why it was not compared with a served model; empty if it was.
        fair_play: the pictures that the served model knows.

    Raises:
        UserError: a slice that is asked for is no column of the pictures.
    """
    slices, rows = make_slices(predictions.pictures, settings)
    gates = absolute_gates(predictions, settings, slices)
    gates += paired_gates(predictions, settings, slices, note, fair_play)
    if found := found_slices_gate(predictions, settings.confidence):
        rows.append(found)
    changes = [] if note else changed_answers(predictions, fair_play)
    return Decision(gates + rows, changes)


def make_slices(
    pictures: pd.DataFrame, settings: EvaluationSettings
) -> tuple[list[Slice], list[Gate]]:
    """The slices that a recipe asks for, and a row for each column that makes none."""
    slices, rows = [], []
    known = fact_columns(pictures)
    for name in settings.slices:
        of_column = cut(name, pictures[find_column(name, known)])
        if len(of_column) > 1:
            slices += of_column
            continue
        what = f"all have {of_column[0].name}" if of_column else "there are none"
        message = f"{len(pictures):,} pictures, {what}: no slices, nothing to compare"
        rows.append(Gate(f"slices by {name}", "warn", None, None, message, None, len(pictures)))
    return slices, rows
