"""The line that ImageExampleGen ends with."""

import dataclasses
from types import SimpleNamespace

import pytest

from components.example_gen import figures
from components.example_gen.splitting.grouping import Duplicates
from components.example_gen.summary import Summary

pytestmark = pytest.mark.one_line

_PLAIN = Summary(
    classes=["cats", "dogs"],
    total=1234,
    counts={
        "train": {"cats": 500, "dogs": 510},
        "validation": {"cats": 100, "dogs": 12},
        "test": {"cats": 100, "dogs": 12},
    },
    quarantined=0,
    converted={},
    ignored=9,
    duplicates=Duplicates(0, 0, 0, 0),
)


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({}, ""),
        ({"quarantined": 1003}, ", 1,003 set aside"),
        ({"duplicates": Duplicates(5, 4, 2, 1)}, "; 5 of them are copies; 2 are in several classes"
         "; LEAKAGE: 1 lie in several splits with their copies"),
        (
            {"duplicates": Duplicates(2, 0, 0, 1)},
            "; 2 of them are copies; LEAKAGE: 1 lie in several splits with their copies",
        ),
        ({"duplicates": Duplicates(5, 5, 0, 0)}, "; 5 of them are copies"),
        ({"converted": {"WEBP": 1, "BMP": 2000}},
         "; 2,000 BMP, 1 WEBP became PNG: a served model refuses such files"),
        ({"fixes": {"relabelled": 2, "dropped": 0, "gone": 1}}, "; fixes: 2 relabelled, 1 gone"),
        ({"unlabelled": {"usable": 1500, "copies": 0, "quarantined": 2}}, "; 1,500 unlabelled"),
        ({"unlabelled": {"usable": 8, "copies": 3, "quarantined": 0}},
         "; 8 unlabelled (3 copies of labelled ones left out)"),
    ],
)  # fmt: skip
def test_what_became_of_the_pictures(tmp_path, change, more):
    summary = dataclasses.replace(_PLAIN, **change)
    (tmp_path / "summary.json").write_text(summary.to_json(), encoding="utf-8")
    told = figures.describe({"examples": [SimpleNamespace(uri=str(tmp_path))]})
    plain = "1,234 pictures of 2 classes (1,010 train, 112 validation, 112 test)"
    assert told == plain + more
