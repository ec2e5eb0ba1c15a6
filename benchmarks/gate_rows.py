"""Every gate of the Evaluator with a model that it passes and one that it stops, as it prints them.

The answers are drawn at random; the gates are those of a run.

    python benchmarks/gate_rows.py
"""

from typing import Any

import numpy as np
import pandas as pd

from components import features
from components.evaluator.config import EvaluationSettings
from components.evaluator.decisions import decide
from components.evaluator.paired import FairPlay
from components.gates import Gate
from components.predictions import Predictions
from pipeline.console import make_console, say
from pipeline.gates_table import gates_table

_CLASSES = ("cat", "dog", "fox")
_PICTURES = 600
_SURE = 0.95

# Gate, settings that ask for it, and `draw`'s words for a model that passes and one that does not.
_Case = tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]
_GOOD, _POOR = {"accuracy": 0.98}, {"accuracy": 0.9}
CASES: list[_Case] = [
    ("every class measured", {}, _GOOD, {"accuracy": 0.98, "classes": 2}),
    ("accuracy", {"thresholds": {"accuracy": 0.95}}, _GOOD, _POOR),
    (
        "top_k_accuracy",
        {"thresholds": {"top_k_accuracy": 0.95}, "top_k": 2},
        _GOOD,
        {"accuracy": 0.8},
    ),
    ("auc", {"thresholds": {"auc": 0.95}}, _GOOD, _POOR),
    ("macro_precision", {"thresholds": {"macro_precision": 0.95}}, _GOOD, _POOR),
    ("macro_recall", {"thresholds": {"macro_recall": 0.95}}, _GOOD, _POOR),
    ("calibration error", {"max_calibration_error": 0.05}, _GOOD, {"accuracy": 0.8}),
    ("recall of every class", {"min_class_recall": 0.93}, _GOOD, _POOR),
    ("precision of every class", {"min_class_precision": 0.93}, _GOOD, _POOR),
    (
        "accuracy of every slice",
        {"slices": ["camera"], "min_slice_accuracy": 0.85},
        _GOOD,
        {"accuracy": 0.98, "night": 0.7},
    ),
    (
        "not proved worse",
        {},
        {"accuracy": 0.97, "served": 0.98},
        {"accuracy": 0.93, "served": 0.98},
    ),
    (
        "not proved worse, by class",
        {},
        {"accuracy": 0.97, "served": 0.98},
        {"accuracy": 0.9, "served": 0.98},
    ),
    (
        "not proved worse, by slice",
        {"slices": ["camera"]},
        {"accuracy": 0.97, "served": 0.98},
        {"accuracy": 0.98, "served": 0.98, "night": 0.7},
    ),
    (
        "proved as good",
        {"proved_as_good": {"overall": 0.03}},
        {"accuracy": 0.98, "served": 0.98},
        {"accuracy": 0.96, "served": 0.98},
    ),
    (
        "proved as good, by class",
        {"proved_as_good": {"per_class": 0.06}},
        {"accuracy": 0.99, "served": 0.98},
        {"accuracy": 0.95, "served": 0.98},
    ),
    (
        "proved as good, by slice",
        {"slices": ["camera"], "proved_as_good": {"per_slice": 0.15}},
        {"accuracy": 0.99, "served": 0.98},
        {"accuracy": 0.99, "served": 0.98, "night": 0.7},
    ),
]


def rows_of(case: _Case) -> tuple[Gate, Gate]:
    """The row of a gate about the model that is to pass, and about the one that is not."""
    name, settings, *models = case
    found = []
    for model in models:
        predictions = draw(**model)
        note = "" if "served" in model else "no served model: not compared"
        decision = decide(predictions, EvaluationSettings(**settings), note, FairPlay())
        found.extend(row for row in decision.gates if row.name == name)
    good, bad = found
    return good, bad


def draw(
    accuracy: float, served: float | None = None, night: float | None = None, classes: int = 3
) -> Predictions:
    """Answers about pictures, one in ten of which is by the camera `night`.

    Args:
        accuracy: of the model.
        served: of the served model; None: there is none.
        night: accuracy of the model on pictures of that camera; None: as elsewhere.
        classes: how many of the classes have pictures.
    """
    random = np.random.default_rng(0)
    labels = np.arange(_PICTURES) % classes
    by_night = np.arange(_PICTURES) % 10 == 0
    ids = [f"id{row}" for row in range(_PICTURES)]
    pictures = pd.DataFrame(
        {
            features.IMAGE_ID: ids,
            features.PATH: [f"{row}.png" for row in range(_PICTURES)],
            features.LABEL: [_CLASSES[label] for label in labels],
            features.GROUP: ids,
            features.column_feature("camera"): np.where(by_night, "night", "day"),
        }
    )
    expected = np.where(by_night & (night is not None), night or 0.0, accuracy)
    return Predictions(
        list(_CLASSES),
        pictures,
        labels,
        np.arange(_PICTURES),
        _answers(labels, expected, random),
        None if served is None else _answers(labels, np.full(_PICTURES, served), random),
    )


def _answers(labels: np.ndarray, accuracy: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Probabilities of a model that is sure, and right as often as is said of each picture."""
    shift = random.integers(1, len(_CLASSES), len(labels))
    right = random.random(len(labels)) < accuracy
    given = np.where(right, labels, (labels + shift) % len(_CLASSES))
    scores = np.full((len(labels), len(_CLASSES)), (1 - _SURE) / (len(_CLASSES) - 1))
    scores += random.random(scores.shape) * 1e-3
    scores[np.arange(len(labels)), given] = _SURE
    return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


def main() -> None:
    """Prints two rows per gate, and the settings that ask for it."""
    console = make_console()
    for case in CASES:
        say(console, f"{case[0]}: {case[1] or 'always there'}")
        console.print(gates_table(rows_of(case)))


if __name__ == "__main__":
    main()
