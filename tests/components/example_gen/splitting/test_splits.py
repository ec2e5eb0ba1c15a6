import hashlib
from collections import Counter

import pydantic
import pytest

from components.example_gen.config import SplitSettings
from components.example_gen.splitting.splits import Choice, choice, drawn_split

FRACTIONS = SplitSettings(train=0.7, validation=0.2, test=0.1)
IDS = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(10_000)]


def _split(group, given, available):
    return drawn_split(group, choice(given, frozenset(available), FRACTIONS))


def _shares(ids, given, available):
    counts = Counter(_split(i, given, available) for i in ids)
    return {split: count / len(ids) for split, count in counts.items()}


@pytest.mark.parametrize(
    ("given", "available", "expected"),
    [
        (None, [], {"train": 0.7, "validation": 0.2, "test": 0.1}),
        ("train", ["train"], {"train": 0.7, "validation": 0.2, "test": 0.1}),
        ("train", ["train", "validation"], {"train": 1.0}),
        ("validation", ["train", "validation"], {"validation": 2 / 3, "test": 1 / 3}),
        ("train", ["train", "test"], {"train": 7 / 9, "validation": 2 / 9}),
        ("test", ["train", "test"], {"test": 1.0}),
        ("train", ["train", "validation", "test"], {"train": 1.0}),
        ("validation", ["train", "validation", "test"], {"validation": 1.0}),
        ("test", ["train", "validation", "test"], {"test": 1.0}),
    ],
)
def test_shares(given, available, expected):
    assert _shares(IDS, given, available) == pytest.approx(expected, abs=0.015)


def test_shares_hold_for_folders_that_an_earlier_split_made():
    def earlier(split):
        return [i for i in IDS if _split(i, None, ()) == split]

    validation = _shares(earlier("validation"), "validation", ["train", "validation"])
    assert validation == pytest.approx({"validation": 2 / 3, "test": 1 / 3}, abs=0.04)
    train = _shares(earlier("train"), "train", ["train", "test"])
    assert train == pytest.approx({"train": 7 / 9, "validation": 2 / 9}, abs=0.03)


def test_both_ends_of_the_range():
    for image_id, split in (("0" * 64, "train"), ("f" * 64, "test")):
        assert _split(image_id, None, ()) == split


def test_what_lies_on_a_border_is_behind_it():
    options = Choice({"train": 0.5, "validation": 0.25, "test": 0.25})
    ids = [f"{digit}{'0' * 63}" for digit in "078bcf"]
    assert [drawn_split(i, options) for i in ids] == [
        *("train", "train", "validation", "validation", "test", "test")
    ]


def test_known_values_never_change():
    # A change here moves pictures between the splits of every existing project.
    def drawn(given, *available):
        return " ".join(_split(i, given, available)[:2] for i in IDS[:10])

    assert drawn(None) == "tr tr va tr tr te te tr tr tr"
    assert drawn("train", "train", "test") == "tr tr tr tr va tr tr tr va tr"
    assert drawn("validation", "train", "validation") == "va te te te va va va va te va"


@pytest.mark.parametrize(
    ("shares", "says"),
    [
        ((0.8, 0.1, 0.11), r"train \+ validation \+ test must be 1, not 1\.01"),
        ((0.8, 0.1, 0.09), r"train \+ validation \+ test must be 1, not 0\.99"),
        ((0.8, 0.1, 0.1000015), "must be 1"),
        ((0.0, 0.5, 0.5), "must each be more than 0"),
        ((0.5, 0.0, 0.5), "must each be more than 0"),
        ((0.5, 0.5, 0.0), "must each be more than 0"),
    ],
)
def test_shares_make_a_whole_and_leave_no_split_empty(shares, says):
    with pytest.raises(pydantic.ValidationError, match=says):
        SplitSettings(**dict(zip(("train", "validation", "test"), shares, strict=True)))


def test_rounding_of_the_shares_does_not_matter():
    SplitSettings(train=0.8, validation=0.1, test=0.1000005)
