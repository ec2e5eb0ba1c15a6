"""Finds labels that are probably wrong.

Each picture's label is held against what a classifier says that has learned from the others, lowest
probability first, as in confident learning (Northcutt et al., arXiv:1911.00068). `benchmarks/`
measures how many of the labels that it finds are wrong.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from components import features
from components.trainer.fitting import devices
from components.trainer.inputs.examples import text_features
from components.trainer.linear_probe import frozen_features, out_of_fold_probabilities
from components.trainer.settings.trainer import TrainerSettings
from components.trainer.training_setup import open_inputs


@dataclasses.dataclass(frozen=True)
class Suspect:
    """A picture whose label is probably wrong.

    Attributes:
        image_id: content id.
        path: in the data source.
        given: its label.
        suggested: the class that it is taken for.
        score: probability of the given label, 0 to 1.
    """

    image_id: str
    path: str
    given: str
    suggested: str
    score: float


def find_suspects(
    settings: TrainerSettings,
    transform_graph: str,
    files: Sequence[str],
    groups: Mapping[str, str],
) -> list[Suspect]:
    """Judges the label of every picture.

    Args:
        settings: of the Trainer.
        transform_graph: folder of the Transform graph.
        files: example files with labels.
        groups: duplicate group by content id.

    Returns:
        The pictures that are taken for another class than theirs, the surest first.

    Raises:
        UserError: the backbone's weights cannot be had.
    """
    inputs = open_inputs(settings, transform_graph, ())
    with devices.placement(settings.training):
        pictures, labels = frozen_features(settings.backbone, inputs.reader, files)
    texts = text_features(files, (features.IMAGE_ID, features.PATH))
    ids, paths = texts[features.IMAGE_ID], texts[features.PATH]
    # The vocabulary is that of the train split, in which every class is.
    probabilities = out_of_fold_probabilities(
        pictures, labels, [groups[one] for one in ids], len(inputs.classes), settings.seed
    )
    return [
        Suspect(
            ids[row],
            paths[row],
            inputs.classes[labels[row]],
            inputs.classes[probabilities[row].argmax()],
            float(probabilities[row, labels[row]]),
        )
        for row in rank(labels, probabilities)
    ]


def rank(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Orders the pictures that are taken for another class by the probability of their own.

    Args:
        labels: int64 [pictures].
        probabilities: float64 [pictures, classes]; rows that are not numbers are left out.

    Returns:
        int64 [suspects], rows, lowest probability first.
    """
    judged = np.flatnonzero(~np.isnan(probabilities[:, 0]))
    given = probabilities[judged, labels[judged]]
    doubted = probabilities[judged].argmax(axis=1) != labels[judged]
    order = np.argsort(given[doubted], kind="stable")
    return judged[doubted][order]
