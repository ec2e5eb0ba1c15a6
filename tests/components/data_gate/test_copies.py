"""Copies over splits and over classes."""

import pytest

from components.data_gate.copies import check_contradictions, check_leakage


@pytest.fixture
def with_copies(pictures):
    """Of 500 pictures 30 share a group with another: rows 0 and 1 of the same class or not."""

    def make(column: str, *values: str):
        table = pictures()
        for row in range(0, 30, 2):
            table.loc[[row, row + 1], "group"] = f"pair {row:02d}"
            table.loc[[row, row + 1], ["label", "split"]] = ["cat", "train"]
            table.loc[[row, row + 1], column] = values
        return table

    return make


def test_copies_within_a_split_and_class_pass(with_copies):
    table = with_copies("split", "test", "test")
    gate = check_leakage(table, False)
    assert (gate.verdict, gate.value, gate.bound) == ("pass", 0, 0)
    gate = check_contradictions(table, 0.25)
    assert (gate.verdict, gate.value, gate.bound) == ("pass", 0, 0.25)


def test_copies_over_splits_stop_the_run_unless_they_are_allowed(with_copies):
    table = with_copies("split", "train", "test")
    gate = check_leakage(table, False)
    assert (gate.verdict, gate.value, gate.bound) == ("fail", 30, 0)
    assert gate.message.startswith(
        "30 pictures have copies in another split, as cat/1.jpg and dog/0.jpg: a test on pictures "
        "that were trained on says nothing; keep each in one split, or set "
        "data_gate.allow_leakage=true"
    )
    gate = check_leakage(table, True)
    assert (gate.verdict, gate.value, gate.bound) == ("warn", 30, 0)
    assert gate.message.endswith("cat/1.jpg and dog/0.jpg (data_gate.allow_leakage)")


def test_copies_over_classes_warn_up_to_a_share_and_stop_the_run_above(with_copies):
    table = with_copies("label", "cat", "dog")
    gate = check_contradictions(table, 0.06)
    assert (gate.verdict, gate.value, gate.bound) == ("warn", 0.06, 0.06)
    gate = check_contradictions(table, 0.05)
    assert (gate.verdict, gate.value, gate.bound) == ("fail", 0.06, 0.05)
    assert gate.message == (
        "30 pictures (6.0%, at most 5.0%) have copies in another class, as dog/0.jpg and "
        "cat/1.jpg: remove the wrong ones, or raise data_gate.max_contradicting"
    )


def test_a_path_cannot_steer_the_terminal(with_copies):
    table = with_copies("split", "train", "test")
    table["path"] = "\x1b[31m" + table["path"]
    assert "\x1b" not in check_leakage(table, False).message


def test_of_three_copies_two_that_differ_are_named(pictures):
    table = pictures()
    for row, split in enumerate(("test", "test", "train")):
        table.loc[row, ["group", "label", "split"]] = ["trio", "cat", split]
    gate = check_leakage(table, False)
    assert gate.message.startswith(
        "3 pictures have copies in another split, as cat/1.jpg and dog/2"
    )


def test_a_group_is_as_many_pictures_as_it_has(pictures):
    table = pictures(100)
    table.loc[:9, "group"] = "ten copies of one"
    gate = check_contradictions(table, 0.1)
    assert (gate.verdict, gate.value) == ("warn", 0.1)
