"""Parts of the test split on which the model is worse, found without anybody naming them.

A shallow tree over facts and columns predicts the errors of one half of the pictures; what
it finds is tested on the other half, and the other way round. Only what Holm's procedure lets stand
among all of these tests is shown. It gates nothing: whoever looks long enough finds some slice.
"""

import dataclasses

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy.stats import hypergeom
from sklearn.tree import DecisionTreeClassifier

from components.features import column_feature
from components.gates import Gate
from components.multiple_tests import holm
from components.predictions import Predictions, fact_columns
from components.text import printable

_DEPTH = 2
_MOST_TESTS = 3  # of each half
_LEAST_SHARE, _LEAST_PICTURES = 0.03, 10
_MOST_VALUES = 30
_MOST_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class FoundSlice:
    """A part of the pictures that is proved worse than the rest, on pictures it was not found in.

    Attributes:
        name: conditions on facts and columns.
        wrong: of its pictures in the half that it was tested on.
        pictures: of its pictures in that half.
        elsewhere: share of wrong answers among the others of that half, 0..1.
        p_value: of Fisher's exact test, one-sided, of this slice alone.
        rows: bool [groups], of both halves; a picture of each duplicate group.
    """

    name: str
    wrong: int
    pictures: int
    elsewhere: float
    p_value: float
    rows: np.ndarray


def find_slices(
    pictures: pd.DataFrame, wrong: np.ndarray, groups: np.ndarray, confidence: float
) -> list[FoundSlice]:
    """Looks for parts with more errors than the rest.

    Args:
        pictures: facts and columns, a row per picture.
        wrong: bool [pictures].
        groups: int [pictures], their duplicate groups.
        confidence: that not one of those found is there by chance.

    Returns:
        The most certain first, without those that are largely part of an earlier one.
    """
    # Copies of a picture are no further proof: one of each duplicate group is looked at.
    _, first = np.unique(groups, return_index=True)
    features, wrong = _features(pictures.iloc[first]), wrong[first]
    if not len(features.columns) or not wrong.any():
        return []
    half = np.random.default_rng(0).random(len(wrong)) < 0.5
    candidates = [*_candidates(features, wrong, half), *_candidates(features, wrong, ~half)]
    stands = holm([one.p_value for one in candidates], 1.0 - confidence)
    found: list[FoundSlice] = []
    proved = [one for one, it_stands in zip(candidates, stands, strict=True) if it_stands]
    for one in sorted(proved, key=lambda one: one.p_value):
        if all((one.rows & other.rows).sum() < 0.5 * one.rows.sum() for other in found):
            found.append(one)
    return found


def found_slices_gate(predictions: Predictions, confidence: float) -> Gate | None:
    """A row that shows what was found; None where nothing is known to look at. Never a `fail`."""
    columns = fact_columns(predictions.pictures)
    if not columns or not len(predictions.labels):
        return None
    found = find_slices(
        predictions.pictures[columns], ~predictions.right, predictions.groups, confidence
    )
    name = "slices found"
    if not found:
        return Gate(name, "pass", 0, None, "none in which the model is worse than elsewhere")
    shown = "; ".join(
        f"{one.name}: {one.wrong / one.pictures:.2g} wrong of {one.pictures:,}, elsewhere "
        f"{one.elsewhere:.2g} (p {one.p_value:.2g})"
        for one in found[:_MOST_SHOWN]
    )
    return Gate(name, "warn", len(found), None, f"worse than elsewhere: {shown}")


def _features(pictures: pd.DataFrame) -> pd.DataFrame:
    """Numbers as they are, and a column of 0 and 1 for each value of a text."""
    columns = {}
    prefix = column_feature("")
    for name, values in pictures.items():
        shown = name.removeprefix(prefix)
        if is_numeric_dtype(values):
            columns[shown] = values.fillna(values.median()).to_numpy(float)
            continue
        texts = values.fillna("").astype(str)
        different = texts.unique()
        if len(different) <= _MOST_VALUES:
            for text in sorted(different):
                columns[f"{shown}={printable(text)}"] = (texts == text).to_numpy(float)
    frame = pd.DataFrame(columns, index=pictures.index)
    return frame.loc[:, frame.nunique() > 1]


def _candidates(features: pd.DataFrame, wrong: np.ndarray, learn: np.ndarray) -> list[FoundSlice]:
    """What a tree finds in the rows of `learn`, tested on the others."""
    if not wrong[learn].any():
        return []
    least = max(_LEAST_PICTURES, int(_LEAST_SHARE * learn.sum()))
    tree = DecisionTreeClassifier(
        criterion="entropy", max_depth=_DEPTH, min_samples_leaf=least, random_state=0
    )
    tree.fit(features[learn].to_numpy(), wrong[learn])
    inside = tree.decision_path(features.to_numpy()).toarray().astype(bool)
    rates = {node: wrong[learn & inside[:, node]].mean() for node in range(1, inside.shape[1])}
    rate = wrong[learn].mean()
    worst = sorted((node for node in rates if rates[node] > rate), key=rates.get, reverse=True)
    names = _names(tree.tree_, list(features.columns))
    return [_tested(names[node], inside[:, node], wrong, ~learn) for node in worst[:_MOST_TESTS]]


def _tested(name: str, rows: np.ndarray, wrong: np.ndarray, test: np.ndarray) -> FoundSlice:
    inside, outside = rows & test, ~rows & test
    errors, count = int(wrong[inside].sum()), int(inside.sum())
    # Fisher's exact test: so many errors or more, were they dealt out at random.
    p_value = hypergeom.sf(errors - 1, test.sum(), wrong[test].sum(), count)
    elsewhere = float(wrong[outside].mean()) if outside.any() else 0.0
    return FoundSlice(name, errors, count, elsewhere, float(p_value), rows)


def _names(tree, columns: list[str]) -> dict[int, str]:
    """The conditions on the way to each node."""
    names = {0: ""}
    for node in range(tree.node_count):
        left, right = tree.children_left[node], tree.children_right[node]
        if left == right:
            continue
        column, threshold = columns[tree.feature[node]], tree.threshold[node]
        is_text = "=" in column
        below = column.replace("=", " is not ", 1) if is_text else f"{column} <= {threshold:.4g}"
        above = column if is_text else f"{column} > {threshold:.4g}"
        for child, condition in ((left, below), (right, above)):
            names[child] = f"{names[node]} and {condition}" if names[node] else condition
    return names
