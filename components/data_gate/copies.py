"""Copies of a picture where they do harm: in several splits, or in several classes."""

import pandas as pd

from components import features
from components.gates import Gate
from components.text import one_line

_LONGEST_PATH = 80


def check_leakage(pictures: pd.DataFrame, allowed: bool) -> Gate:
    """No picture of a split has a copy in another; only a source's own splits can be so.

    Args:
        pictures: see `read_pictures`.
        allowed: makes a warning of a failure.
    """
    found = _spread(pictures, features.SPLIT)
    if found.empty:
        return Gate("leakage", "pass", 0, 0, "no picture has a copy in another split")
    message = f"{len(found):,} pictures have copies in another split, as {_pair(found)}"
    if allowed:
        message += " (data_gate.allow_leakage)"
        return Gate("leakage", "warn", len(found), 0, message)
    message += (
        ": a test on pictures that were trained on says nothing; keep each in one split, or set "
        "data_gate.allow_leakage=true; if they only look alike, data.near_duplicates=false"
    )
    return Gate("leakage", "fail", len(found), 0, message)


def check_contradictions(pictures: pd.DataFrame, largest: float) -> Gate:
    """The share of pictures that have a copy in another class.

    Args:
        pictures: see `read_pictures`.
        largest: share that is allowed; up to it there is a warning.
    """
    name = "contradicting labels"
    found = _spread(pictures, features.LABEL)
    if found.empty:
        return Gate(name, "pass", 0, largest, "no picture is in two classes")
    share = len(found) / len(pictures)
    message = (
        f"{len(found):,} pictures ({share:.1%}, at most {largest:.1%}) have copies in another "
        f"class, as {_pair(found)}"
    )
    if share <= largest:
        return Gate(name, "warn", share, largest, message)
    message += ": remove the wrong ones, or raise data_gate.max_contradicting"
    return Gate(name, "fail", share, largest, message)


def _spread(pictures: pd.DataFrame, over: str) -> pd.DataFrame:
    """The pictures whose group has more than one value of a column, by group and that value."""
    values = pictures.groupby(features.GROUP)[over].transform("nunique")
    return pictures[values > 1].sort_values([features.GROUP, over, features.PATH])


def _pair(found: pd.DataFrame) -> str:
    """The first and the last of the first group: they are in different splits or classes."""
    first = found[found[features.GROUP] == found[features.GROUP].iloc[0]]
    one, other = first[features.PATH].iloc[0], first[features.PATH].iloc[-1]
    return f"{one_line(one, _LONGEST_PATH)} and {one_line(other, _LONGEST_PATH)}"
