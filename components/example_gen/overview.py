"""What a data set holds, out of `pictures.parquet`: copies, and pictures unlike the rest."""

import dataclasses

import numpy as np
import pandas as pd

from components import features

# Facts that are numbers of things or factors: twice as much is as far away as half as much.
_RATIOS = ("width", "height", "bytes", "sharpness", "aspect")
_DIFFERENCES = ("brightness", "contrast", "colourfulness")
FACTS = (*_RATIOS, *_DIFFERENCES)
# Tukey's outer fences (Exploratory Data Analysis, 1977): what lies beyond is "far out".
_FENCES = 3.0


@dataclasses.dataclass(frozen=True)
class FactRange:
    """How a fact of the pictures is distributed.

    Attributes:
        fact: its name, see `inspection.facts.Facts`.
        lowest: of all pictures.
        median: of all pictures.
        highest: of all pictures.
        outliers: rows of pictures that are far from the rest, the farthest first.
    """

    fact: str
    lowest: float
    median: float
    highest: float
    outliers: list[int]


def fact_ranges(pictures: pd.DataFrame) -> list[FactRange]:
    """The range of every fact that is a number, and its outliers.

    An outlier lies more than three interquartile ranges below the first quartile or above the
    third; those of sizes and of sharpness are judged by their logarithms.

    Args:
        pictures: rows of `pictures.parquet`, one or more.
    """
    ranges = []
    for fact in FACTS:
        values = pictures[fact].to_numpy(np.float64)
        scale = np.log1p(values) if fact in _RATIOS else values
        first, third = np.quantile(scale, [0.25, 0.75])
        distance = np.maximum(first - scale, scale - third)
        far = np.flatnonzero(distance > _FENCES * (third - first))
        far = far[np.argsort(-distance[far], kind="stable")]
        ranges.append(
            FactRange(fact, values.min(), float(np.median(values)), values.max(), far.tolist())
        )
    return ranges


def duplicate_groups(pictures: pd.DataFrame) -> list[list[int]]:
    """Rows of pictures that are the same, group by group.

    Groups in several splits come first, then those of several classes, then the largest.

    Args:
        pictures: rows of `pictures.parquet`.
    """
    columns = [pictures[name].to_numpy() for name in (features.SPLIT, features.LABEL)]

    def order(rows: list[int]) -> tuple[bool, bool, int, int]:
        splits, labels = (set(values[rows]) for values in columns)
        return len(splits) == 1, len(labels) == 1, -len(rows), rows[0]

    found = pictures.groupby(features.GROUP).indices.values()
    return sorted((rows.tolist() for rows in found if len(rows) > 1), key=order)


def counts(pictures: pd.DataFrame, fact: str) -> dict[str, int]:
    """Number of pictures by the value of a fact, as `format`, the most frequent first."""
    return {str(value): int(n) for value, n in pictures[fact].value_counts().items()}
