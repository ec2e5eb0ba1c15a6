"""The trained model's answers for the validation split, and what is learnt from them."""

import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from components import features, progress
from components.errors import UserError
from components.files import write_atomically
from components.predictions import (
    ANSWERS,
    CANDIDATE,
    VALIDATION_FILE,
    duplicate_groups,
    write_predictions,
)
from components.trainer import calibration as learning
from components.trainer.calibration import Calibration
from components.trainer.inputs.examples import ExampleReader, text_features
from components.trainer.network.scorer import Scorer
from components.trainer.settings.serving import ServingSettings


@dataclasses.dataclass(frozen=True)
class Validated:
    """The validation pictures, in the files' order.

    Attributes:
        texts: `image_id`, `path` and `label` of each.
        labels: int64 [pictures], index of the label.
        logits: float32 [pictures, classes].
        examples: folder of the examples.
    """

    texts: dict[str, list[str]]
    labels: np.ndarray
    logits: np.ndarray
    examples: Path


def ask(scorer: Scorer, reader: ExampleReader, files: Sequence[str]) -> Validated:
    """Asks the model about every validation picture.

    Args:
        scorer: what will be served.
        reader: makes batches of pixels.
        files: example files of the validation split, which has a picture.

    Raises:
        UserError: an answer is not finite.
    """
    names = [features.IMAGE_ID, features.PATH, features.LABEL]
    texts = text_features(files, names)
    count = len(texts[features.LABEL])
    logits, labels, done = [], [], 0
    for pixels, numbers in reader.view_batches(files, count):
        logits.append(scorer.logits(pixels).numpy())
        labels.append(numbers.numpy())
        done += len(labels[-1])
        progress.report("validating", done, count, "what will be served")
    found = np.concatenate(logits)
    if not np.isfinite(found).all():
        raise UserError("the trained model's answers for validation pictures are not all finite")
    # <examples>/Split-validation/<file>
    return Validated(texts, np.concatenate(labels), found, Path(files[0]).parents[1])


def learn(validated: Validated, classes: Sequence[str], settings: ServingSettings) -> Calibration:
    """Learns what `serving` asks for, and says aloud what cannot be had."""
    groups = duplicate_groups(validated.texts[features.IMAGE_ID], validated.examples)
    found = learning.learn(validated.logits, validated.labels, groups, classes, settings)
    for note in found.notes():
        logging.warning("%s", note)
    return found


def write_evidence(
    validated: Validated, calibration: Calibration, classes: Sequence[str], folder: str
) -> None:
    """Writes `validation.parquet`, and `calibration.json` where something was learnt.

    Args:
        validated: the answers.
        calibration: what is served with the model.
        classes: names in the order of the logits.
        folder: made where it is missing.
    """
    answers = learning.answer(validated.logits, calibration)
    columns = {**validated.texts, **vars(answers), CANDIDATE: answers.probabilities}
    table = pa.table(
        [_column(columns.get(field.name), len(validated.labels), field.type) for field in ANSWERS],
        ANSWERS,
    )
    Path(folder).mkdir(parents=True, exist_ok=True)
    write_predictions(table, validated.examples, classes, Path(folder, VALIDATION_FILE))
    if calibration != Calibration():
        text = json.dumps(calibration.as_json(), indent=1)
        write_atomically(Path(folder, features.CALIBRATION_FILE), text)


def _column(values: Sequence | np.ndarray | None, count: int, kind: pa.DataType) -> pa.Array:
    return pa.nulls(count, kind) if values is None else pa.array(list(values), kind)
