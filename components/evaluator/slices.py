"""Parts of the test split: by a fact of the pictures, in ranges, or by a column of the manifest."""

import dataclasses
from collections.abc import Collection

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from components.errors import UserError
from components.features import column_feature
from components.text import did_you_mean, printable

# Numbers with more different values are cut into as many ranges, of as many pictures each.
_RANGES = 4
_MOST_VALUES = 30


@dataclasses.dataclass(frozen=True)
class Slice:
    """Some of the pictures.

    Attributes:
        name: `column=value`, or `column first..last`.
        rows: bool [pictures].
    """

    name: str
    rows: np.ndarray


def find_column(name: str, known: Collection[str]) -> str:
    """The column that a name in a recipe stands for: a fact, or a manifest's column.

    Args:
        name: as in `evaluation.slices`.
        known: the columns that there are, by their features' names.

    Raises:
        UserError: there is none.
    """
    for column in (name, column_feature(name)):
        if column in known:
            return column
    prefix = column_feature("")
    names = [column.removeprefix(prefix) for column in known]
    raise UserError(
        f"evaluation.slices: the pictures have no column {printable(name)}"
        f"{did_you_mean(name, names)}; they have {', '.join(names) or 'none'}"
    )


def check_number(name: str, values: int, about: str = "") -> None:
    """Refuses a column with more different texts in the test split than can be slices.

    Args:
        name: to show.
        values: number of these texts.
        about: what stands before the number.

    Raises:
        UserError: they are too many.
    """
    if values > _MOST_VALUES:
        raise UserError(
            f"evaluation.slices: {printable(name)} has {about}{values:,} different values in the "
            f"test split, more than {_MOST_VALUES}: it names pictures, not kinds of them"
        )


def cut(name: str, values: pd.Series) -> list[Slice]:
    """Cuts by one column.

    Args:
        name: to show.
        values: of each picture.

    Returns:
        Its slices; fewer than two where all pictures have the same value.

    Raises:
        UserError: there are too many different texts to be slices.
    """
    if is_numeric_dtype(values) and values.nunique() > _RANGES:
        edges = np.unique(values.quantile(np.linspace(0, 1, _RANGES + 1), interpolation="nearest"))
        numbers = np.clip(np.searchsorted(edges, values, side="right"), 1, len(edges) - 1)
        return [  # none is empty, as its lower edge is one of the values
            Slice(f"{name} {edges[number - 1]:.4g}..{edges[number]:.4g}", numbers == number)
            for number in range(1, len(edges))
        ]
    different = sorted(values.fillna("").astype(str).unique())
    check_number(name, len(different))
    texts = values.fillna("").astype(str).to_numpy()
    return [Slice(f"{name}={printable(text)}", texts == text) for text in different]
