"""What the model and the served one answer for each picture of a split.

<evaluation>/predictions.parquet             a row per picture of the test split, sorted by path
<model>/evidence/validation.parquet          the same of the validation split, by the Trainer
<destination>/evidence/<version>/validation.parquet   the latter, once it is pushed

| column            | type        | content                                                   |
|-------------------|-------------|-----------------------------------------------------------|
| `image_id`        | string      | content id                                                |
| `path`            | string      | where the picture came from                               |
| `label`           | string      | its class                                                 |
| `candidate`       | list<float> | the model's probabilities, by `classes` of the file       |
| `served`          | list<float> | those of the served model, in the same order, or null     |
| `unsure`          | bool        | whether the model abstains; null where it never does      |
| `in_label_set`    | list<bool>  | the model's label set, by `classes` of the file, or null  |
| `group`           | string      | its duplicate group                                       |
| facts and columns | as measured | of `pictures.parquet`, and of the manifest (`column_<x>`) |

Everything that is decided or told about a model's answers is read here; nobody asks a model twice.
"""

import dataclasses
import functools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components import features
from components.errors import UserError
from components.files import atomic_file
from components.text import one_line

PREDICTIONS_FILE = "predictions.parquet"
VALIDATION_FILE = "validation.parquet"
CANDIDATE, SERVED = "candidate", "served"
_CLASSES = b"classes"
_NAMES = (features.IMAGE_ID, features.PATH, features.LABEL, features.SPLIT, features.GROUP)

# What is written while the models answer, by as many workers as there are.
ANSWERS = pa.schema(
    [
        *[pa.field(name, pa.string()) for name in _NAMES[:3]],
        pa.field(CANDIDATE, pa.list_(pa.float32())),
        pa.field(SERVED, pa.list_(pa.float32())),
        pa.field(features.UNSURE, pa.bool_()),
        pa.field(features.IN_LABEL_SET, pa.list_(pa.bool_())),
    ]
)
_ANSWERED = (CANDIDATE, SERVED, features.UNSURE, features.IN_LABEL_SET)


@dataclasses.dataclass(frozen=True)
class Predictions:
    """The rows of the file as arrays.

    Attributes:
        classes: class names.
        pictures: `image_id`, `path`, `label`, `group`, facts and columns; a row per picture.
        labels: int64 [pictures], the true class.
        groups: int64 [pictures], number of the duplicate group, 0..groups-1.
        candidate: float32 [pictures, classes], 0..1.
        served: the same of the served model; None where it was not compared with.
        unsure: bool [pictures], where the model abstains; None: it never does.
        in_label_set: bool [pictures, classes], the model's label sets; None: it gives none.
    """

    classes: list[str]
    pictures: pd.DataFrame
    labels: np.ndarray
    groups: np.ndarray
    candidate: np.ndarray
    served: np.ndarray | None
    unsure: np.ndarray | None = None
    in_label_set: np.ndarray | None = None

    @functools.cached_property
    def given(self) -> np.ndarray:
        """The class that the model gives: int64 [pictures], see `most_probable`."""
        return most_probable(self.labels, self.candidate)

    @functools.cached_property
    def sure(self) -> np.ndarray:
        """The highest probability: float32 [pictures]."""
        return self.candidate.max(axis=1)

    @functools.cached_property
    def right(self) -> np.ndarray:
        """Whether the true class is given: bool [pictures]."""
        return self.given == self.labels

    @functools.cached_property
    def served_given(self) -> np.ndarray:
        """The class that the served model gives, which was compared with."""
        return most_probable(self.labels, self.served)

    @functools.cached_property
    def served_right(self) -> np.ndarray:
        """Whether that is the true one."""
        return self.served_given == self.labels


def gather(
    answers: Sequence[str | os.PathLike],
    examples: str | os.PathLike,
    classes: Sequence[str],
    path: str | os.PathLike,
) -> None:
    """Puts the answers of all workers, and what is known of the pictures, into one file.

    Args:
        answers: the workers' files.
        examples: folder of the examples, whose `pictures.parquet` knows groups and facts; where it
            is missing every picture is a group of its own.
        classes: class names, by column of the probabilities.
        path: the file to write.
    """
    tables = [pq.read_table(file) for file in answers]
    table = pa.concat_tables(tables) if tables else ANSWERS.empty_table()
    write_predictions(table, examples, classes, path)


def write_predictions(
    table: pa.Table, examples: str | os.PathLike, classes: Sequence[str], path: str | os.PathLike
) -> None:
    """Writes answers, with what is known of the pictures beside them, into one file.

    Args:
        table: with the columns of `ANSWERS`.
        examples: see `gather`.
        classes: see `gather`.
        path: the file to write.
    """
    table = table.sort_by([(features.PATH, "ascending"), (features.IMAGE_ID, "ascending")])
    table = _with_facts(table, Path(examples) / features.PICTURES_FILE)
    table = table.replace_schema_metadata({_CLASSES: json.dumps(list(classes))})
    with atomic_file(path) as file:
        pq.write_table(table, file)


def read_predictions(folder: str | os.PathLike, name: str = PREDICTIONS_FILE) -> Predictions:
    """Reads the rows of a split.

    Args:
        folder: of an evaluation, or of evidence.
        name: of the file in there.

    Raises:
        UserError: the file is missing or damaged.
    """
    path = Path(folder) / name
    try:
        table = pq.read_table(path)
        classes = json.loads(table.schema.metadata[_CLASSES])
        number = {name: place for place, name in enumerate(classes)}
        pictures = table.drop([n for n in _ANSWERED if n in table.column_names]).to_pandas()
        return Predictions(
            classes,
            pictures,
            np.array([number[label] for label in pictures[features.LABEL]], np.int64),
            np.unique(pictures[features.GROUP].to_numpy(str), return_inverse=True)[1],
            _matrix(table[CANDIDATE], len(classes)),
            *(
                _matrix(table[name], len(classes)) if _is_answered(table, name) else None
                for name in (SERVED, features.UNSURE, features.IN_LABEL_SET)
            ),
        )
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise UserError(f"{path} is missing or damaged: {one_line(error, 100)}") from error


def trained_ids(evidence: str | os.PathLike) -> set[str]:
    """Ids and groups of the pictures that a served model was trained on or chosen by.

    Those without labels are among them: it may have learnt from labels of its own.

    Args:
        evidence: folder of its evidence.

    Raises:
        FileNotFoundError: it was pushed without.
        UserError: what lies there is damaged.
    """
    path = Path(evidence) / features.PICTURES_FILE
    columns = [features.IMAGE_ID, features.GROUP, features.SPLIT]
    try:
        rows = pq.read_table(path, columns=columns).to_pandas()
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path} is damaged: {one_line(error, 100)}") from error
    learnt = rows[rows[features.SPLIT] != features.TEST]
    return {*learnt[features.IMAGE_ID], *learnt[features.GROUP]}


def most_probable(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The most probable class; where a probability is no number, one that is wrong.

    So such a picture is nowhere right, whatever is counted.

    Args:
        labels: int [pictures], the true class.
        scores: float [pictures, classes].

    Returns:
        int64 [pictures].
    """
    wrong = (labels + 1) % scores.shape[1]
    return np.where(np.isnan(scores).any(axis=1), wrong, scores.argmax(axis=1))


def fact_columns(pictures: pd.DataFrame) -> list[str]:
    """Names of the columns by which the rows can be cut into slices."""
    return [name for name in pictures if name not in _NAMES]


def _with_facts(table: pa.Table, path: Path) -> pa.Table:
    if not path.exists():
        return table.append_column(features.GROUP, table[features.IMAGE_ID])
    facts = pq.read_table(path)
    key = [features.IMAGE_ID, features.PATH]
    rows: Mapping[tuple, int] = {
        pair: row
        for row, pair in enumerate(zip(*(facts[name].to_pylist() for name in key), strict=True))
    }
    found = [
        rows.get(pair) for pair in zip(*(table[name].to_pylist() for name in key), strict=True)
    ]
    facts = facts.take(pa.array(found, pa.int64()))
    for name in facts.column_names:
        if name not in _NAMES or name == features.GROUP:
            table = table.append_column(name, facts[name])
    return table


def duplicate_groups(ids: Sequence[str], examples: str | os.PathLike) -> list[str]:
    """Duplicate group of each picture; where `pictures.parquet` is missing, a group of its own.

    Args:
        ids: content ids.
        examples: folder of the examples.
    """
    path = Path(examples) / features.PICTURES_FILE
    if not path.exists():
        return list(ids)
    rows = pq.read_table(path, columns=[features.IMAGE_ID, features.GROUP]).to_pydict()
    groups = dict(zip(rows[features.IMAGE_ID], rows[features.GROUP], strict=True))
    return [groups[image_id] for image_id in ids]


def _is_answered(table: pa.Table, name: str) -> bool:
    """Whether every picture has such an answer; files of earlier releases lack some columns."""
    return name in table.column_names and not table[name].null_count


def _matrix(column: pa.ChunkedArray, classes: int) -> np.ndarray:
    """[pictures, classes] of lists, [pictures] of single values."""
    values = column.combine_chunks()
    if not pa.types.is_list(column.type):
        return values.to_numpy(zero_copy_only=False)
    return values.flatten().to_numpy(zero_copy_only=False).reshape(len(column), classes)
