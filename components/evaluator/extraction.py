"""Has TFMA's pipeline write down each picture's answers on their way to the metrics."""

from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from apache_beam.io.parquetio import WriteToParquet
from tensorflow_model_analysis.extractors.extractor import Extractor

from components import features
from components.predictions import ANSWERS, CANDIDATE, SERVED


def answers_extractor(folder: str, order: Sequence[int] | None) -> Extractor:
    """The last extractor of an evaluation: hands all on as it is, and writes it down.

    Every bundle of a worker is a file of its own, so that nobody holds all rows.

    Args:
        folder: where the Parquet files go, with the columns of `predictions.ANSWERS`.
        order: by class of the model, its column in the served model's probabilities; None without
            a served model.
    """
    return Extractor("WriteAnswers", _WriteAnswers(folder, order))


class _WriteAnswers(beam.PTransform):
    def __init__(self, folder: str, order: Sequence[int] | None):
        super().__init__()
        self._folder = folder
        self._order = order

    def expand(self, extracts: beam.PCollection) -> beam.PCollection:
        _ = (
            extracts
            | "ToRow" >> beam.Map(_to_row, self._order)
            | "Write" >> WriteToParquet(f"{self._folder}/answers", ANSWERS)
        )
        return extracts


def _to_row(extracts: tfma.Extracts, order: Sequence[int] | None) -> dict[str, Any]:
    known, answers = extracts[tfma.FEATURES_KEY], extracts[tfma.PREDICTIONS_KEY]
    row = {
        name: np.asarray(known[name]).item().decode()
        for name in (features.IMAGE_ID, features.PATH, features.LABEL)
    }
    served = None
    if order is not None:
        of_served = _probabilities(answers[tfma.BASELINE_KEY])
        served = [of_served[number] for number in order]
        answers = answers[tfma.CANDIDATE_KEY]
    return {**row, CANDIDATE: _probabilities(answers), SERVED: served, **_hedges(answers)}


def _hedges(outputs: Any) -> dict[str, Any]:
    """Whether the model is unsure, and its label set; None where it does not say."""
    said = outputs if isinstance(outputs, dict) else {}
    unsure, in_label_set = said.get(features.UNSURE), said.get(features.IN_LABEL_SET)
    return {
        features.UNSURE: None if unsure is None else np.asarray(unsure, bool).item(),
        features.IN_LABEL_SET: None
        if in_label_set is None
        else np.asarray(in_label_set, bool).ravel().tolist(),
    }


def _probabilities(outputs: Any) -> list[float]:
    values = outputs[features.PROBABILITIES] if isinstance(outputs, dict) else outputs
    return np.asarray(values, np.float32).ravel().tolist()
