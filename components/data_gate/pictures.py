"""`pictures.parquet`, the table of pictures that ImageExampleGen leaves beside the examples."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components import features
from components.errors import UserError
from components.fingerprints import labels_fingerprint
from components.text import one_line

_NAMES = (features.IMAGE_ID, features.PATH, features.GROUP, features.LABEL, features.SPLIT)
# Columns of a manifest may hold anything, a different text for each picture too: they are no facts.
_COLUMN_PREFIX = features.column_feature("")


def read_pictures(folder: Path) -> pd.DataFrame:
    """Reads the rows of the labelled pictures.

    Args:
        folder: that holds `pictures.parquet`.

    Returns:
        A row per picture: `image_id`, `path`, `group`, `label`, `split` and its facts.

    Raises:
        UserError: the file is missing or damaged, or has no rows.
    """
    path = folder / features.PICTURES_FILE
    try:
        table = pq.read_table(path).to_pandas()
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path} is damaged: {one_line(error, 100)}") from error
    if missing := [name for name in _NAMES if name not in table]:
        raise UserError(f"{path} is damaged: it has no column {', '.join(missing)}")
    table = table[table[features.SPLIT].isin(features.SPLITS)].reset_index(drop=True)
    if table.empty:
        raise UserError(f"{path} holds no labelled picture")
    return table


def fact_names(pictures: pd.DataFrame) -> list[str]:
    """The columns that hold facts of the pictures."""
    return [name for name in pictures if name not in _NAMES and not name.startswith(_COLUMN_PREFIX)]


def in_split(pictures: pd.DataFrame, split: str) -> pd.DataFrame:
    """The rows of a split."""
    return pictures[pictures[features.SPLIT] == split]


def labelled_ids(pictures: pd.DataFrame) -> set[tuple[str, str]]:
    """Id and label of each picture."""
    return set(zip(pictures[features.IMAGE_ID], pictures[features.LABEL], strict=True))


def fingerprint(pictures: pd.DataFrame) -> str:
    """SHA-256 over ids and labels, whatever their order, hexadecimal."""
    return labels_fingerprint(labelled_ids(pictures))
