"""Predictions made by hand, and the rows of gates on them."""

import numpy as np
import pandas as pd
import pytest

from components.evaluator.absolute import absolute_gates
from components.evaluator.config import EvaluationSettings
from components.predictions import Predictions

CLASSES = ["cat", "dog", "fox"]


def one_hot(given, sure=0.9):
    """Probabilities of which those of the classes given are the highest."""
    rest = (1 - sure) / (len(CLASSES) - 1)
    return np.where(np.eye(len(CLASSES))[given] > 0, sure, rest).astype(np.float32)


@pytest.fixture
def predict():
    """`predict(labels, given, served, groups, columns)`: what two models say of some pictures."""

    def predict(labels, given, served=None, groups=None, **columns) -> Predictions:
        labels = np.asarray(labels, np.int64)
        groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
        pictures = pd.DataFrame(
            {
                "image_id": [f"id{row}" for row in range(len(labels))],
                "path": [f"{row}.png" for row in range(len(labels))],
                "label": [CLASSES[label] for label in labels],
                "group": [f"g{group}" for group in groups],
                **columns,
            }
        )
        return Predictions(
            CLASSES,
            pictures,
            labels,
            groups,
            one_hot(np.asarray(given, np.int64)),
            None if served is None else one_hot(np.asarray(served, np.int64)),
        )

    return predict


@pytest.fixture
def answers():
    """`answers(right, wrong)`: labels in turn, and answers of which so many are right."""

    def answers(right: int, wrong: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(right + wrong) % 3
        return labels, np.where(np.arange(right + wrong) < right, labels, (labels + 1) % 3)

    return answers


@pytest.fixture
def gate(predict):
    """`gate(name, labels, given, groups, parts, **settings)`: one row of them."""

    def gate(name, labels, given, groups=None, parts=(), **settings):
        predictions = predict(labels, given, groups=groups)
        rows = absolute_gates(predictions, EvaluationSettings(**settings), parts)
        (row,) = [row for row in rows if row.name == name]
        return row

    return gate
