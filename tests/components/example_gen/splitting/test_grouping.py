import numpy as np
import pytest

from components.example_gen.inspection.picture_table import Pictures
from components.example_gen.splitting import duplicates
from components.example_gen.splitting.grouping import (
    Duplicates,
    contradictions,
    count_duplicates,
    group_pictures,
)

_RNG = np.random.default_rng(0)
_LOOKS = {
    name: (
        _RNG.integers(0, 2**63, 8, dtype=np.uint64),
        _RNG.integers(0, 256, (16, 16), dtype=np.uint8),
    )
    for name in "xyz"
}


@pytest.fixture
def rows():
    """`rows("b x cats", "a x dogs")`: rows of id, look and label (`-`: unlabelled)."""

    def make(*texts: str, side: int | list[int] = 64) -> Pictures:
        ids, looks, labels = zip(*(text.split() for text in texts), strict=True)
        return Pictures(
            ids=list(ids),
            paths=[f"{label}/{row}.jpg" for row, label in enumerate(labels)],
            labels=["" if label == "-" else label for label in labels],
            given=["unlabelled" if label == "-" else None for label in labels],
            sides=np.full(len(ids), side),
            hashes=np.stack([_LOOKS[look][0] for look in looks]),
            thumbnails=np.stack([_LOOKS[look][1] for look in looks]),
            kinds=[],
        )

    return make


def test_groups_are_named_after_their_first_by_content(rows):
    pictures = rows("b x cats", "c y cats", "a x cats", "b x cats")
    assert group_pictures(pictures, near=True).groups == ["a", "c", "a", "a"]


def test_the_order_of_the_source_does_not_matter(rows):
    texts = ["b x cats", "c y cats", "a x cats", "d y cats", "e z cats"]
    groups = dict(zip("bcade", group_pictures(rows(*texts), near=True).groups, strict=True))
    again = group_pictures(rows(*reversed(texts)), near=True).groups
    assert dict(zip("edacb", again, strict=True)) == groups


def test_known_pictures_come_first(rows):
    pictures = rows("a x cats", "b x cats", "c x cats")
    assert group_pictures(pictures, near=True, known={"c"}).groups == ["c", "c", "c"]


def test_unlabelled_pictures_name_no_group_of_labelled_ones_unless_they_are_known(rows):
    pictures = rows("b x cats", "a x -")
    assert group_pictures(pictures, near=True).groups == ["b", "b"]
    # It had a label in an earlier run, and a split with it.
    assert group_pictures(pictures, near=True, known={"a"}).groups == ["a", "a"]
    # It is among the labelled ones as well.
    pictures = rows("b x cats", "a x cats", "a x -")
    assert group_pictures(pictures, near=True).groups == ["a", "a", "a"]


@pytest.mark.parametrize(("near", "side"), [(False, 64), (True, 31)])
def test_only_equal_files_are_copies(rows, near, side):
    pictures = rows("b x cats", "a x cats", "b x cats", side=side)
    assert group_pictures(pictures, near).groups == ["b", "a", "b"]


def test_the_smallest_pictures_that_are_compared(rows):
    pictures = rows("b x cats", "a x cats", side=32)
    assert group_pictures(pictures, near=True).groups == ["a", "a"]


def test_pictures_too_small_to_compare_do_not_change_what_the_others_are_like(rows):
    pictures = rows("a z cats", "b x cats", "c x cats", "d z cats", side=[16, 64, 64, 16])
    assert group_pictures(pictures, near=True).groups == ["a", "b", "b", "d"]


def test_a_picture_like_two_firsts_is_of_the_earlier_group_and_knows_the_other(rows, monkeypatch):
    monkeypatch.setattr(duplicates, "near_groups", lambda *_: {9: {8, 1}})
    looks = zip("jbcdefghia", "xyxyxyxyxy", strict=True)
    found = group_pictures(rows(*(f"{i} {look} cats" for i, look in looks)), near=True)
    assert (found.groups, found.others) == ([*"bbcdefghia"], {"j": ["i"]})


def test_counts(rows):
    labelled = ("a x cats", "b x dogs", "a x cats", "c y cats", "d y cats", "e z cats")
    pictures = rows(*labelled, "f z -", "g z -", "h y -")
    groups = group_pictures(pictures, near=True).groups
    splits = ["train", "train", "train", "test", "validation", None, *["unlabelled"] * 3]
    assert count_duplicates(pictures, groups, splits) == Duplicates(
        copies=3, identical=1, contradicting=1, leaking=1
    )


def test_contradictions(rows):
    texts = ("f z dogs", "g z emus", "a x dogs", "b x cats", "c x cats")
    pictures = rows(*texts, "d y cats", "e y cats", "d y -")
    groups = group_pictures(pictures, near=True).groups
    assert contradictions(pictures, groups) == [
        ("cats/3.jpg", "dogs/2.jpg"),
        ("dogs/0.jpg", "emus/1.jpg"),
    ]
