"""Class counts and the share of files set aside."""

import pytest

from components.data_gate.config import MinimumSettings
from components.data_gate.counts import check_counts, check_quarantine


def test_enough_of_each_class_in_each_split(pictures):
    table = pictures(label=["cat" if row % 4 else "dog" for row in range(500)])
    gate = check_counts(table, MinimumSettings(train=75, validation=25, test=25))
    assert (gate.verdict, gate.value, gate.bound) == ("pass", 25, None)
    assert gate.message == (
        "2 classes with 75 to 225 in train, 25 to 75 in validation, 25 to 75 in test"
    )


def test_too_few_of_a_class_stop_the_run(pictures):
    table = pictures()
    table = table[(table["label"] != "dog") | (table["split"] != "test")]
    gate = check_counts(table, MinimumSettings(test=10))
    assert (gate.verdict, gate.value, gate.bound) == ("fail", 0, 10)
    message = "class 'dog' has 0 in test, 10 wanted: add pictures, or lower data_gate.min_per_class"
    assert gate.message == message


def test_a_class_that_a_split_lacks_is_a_warning(pictures):
    table = pictures()
    table = table[(table["label"] != "dog") | (table["split"] != "test")]
    gate = check_counts(table, MinimumSettings())
    assert (gate.verdict, gate.value, gate.bound) == ("warn", 0, None)
    assert gate.message == "no pictures of 'dog' in test"


def test_of_several_that_are_too_few_the_figures_are_those_of_the_first(pictures):
    gate = check_counts(pictures(), MinimumSettings(train=151, test=60))
    assert (gate.verdict, gate.value, gate.bound) == ("fail", 150, 151)
    assert gate.message.startswith("class 'cat' has 150 in train, 151 wanted; class 'dog' has 150")
    assert "; class 'cat' has 50 in test, 60 wanted; and 1 more: add" in gate.message


def test_only_the_first_of_many_are_named(pictures):
    table = pictures(500, label=[f"class {row}" for row in range(500)])
    assert check_counts(table, MinimumSettings(test=1)).message.count("wanted") == 3
    assert "; and 397 more" in check_counts(table, MinimumSettings(test=1, train=0)).message


def test_few_files_set_aside_pass_and_many_stop_the_run(pictures, examples):
    folder = examples(pictures(), quarantined=10)
    gate = check_quarantine(folder, 0.05)
    assert (gate.verdict, gate.value, gate.bound) == ("pass", 10 / 510, 0.05)
    assert gate.message == "10 of 510 files were set aside (2.0%, at most 5.0%)"
    gate = check_quarantine(folder, 0.01)
    assert (gate.verdict, gate.value, gate.bound) == ("fail", 10 / 510, 0.01)
    assert gate.message == (
        "10 of 510 files were set aside (2.0%, at most 1.0%): see quarantine.jsonl beside the "
        "examples, or raise data_gate.max_quarantined"
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"total": 3}', '{"total": 3, "quarantined": {}}'])
def test_a_damaged_summary_is_told(pictures, examples, text):
    folder = examples(pictures())
    (folder / "summary.json").write_text(text)
    gate = check_quarantine(folder, 0.05)
    assert (gate.verdict, gate.value, gate.bound) == ("fail", None, 0.05)
    assert f"{folder / 'summary.json'} cannot be read" in gate.message


def test_all_that_is_absent_is_named(pictures):
    table = pictures(500, label=["cat", "dog", "fox", "owl"] * 125)
    table = table[(table["split"] != "test") | (table["label"] == "cat")]
    gate = check_counts(table, MinimumSettings())
    assert gate.message == "no pictures of 'dog' in test; 'fox' in test; 'owl' in test"


def test_a_share_that_is_what_is_allowed_is_allowed(pictures, examples):
    gate = check_quarantine(examples(pictures(90), quarantined=10), 0.1)
    assert (gate.verdict, gate.value, gate.bound) == ("pass", 0.1, 0.1)
    assert gate.message == "10 of 100 files were set aside (10.0%, at most 10.0%)"


def test_a_split_without_pictures_has_none_of_any_class(pictures):
    table = pictures(100)
    table = table[table["split"] != "validation"]
    gate = check_counts(table, MinimumSettings())
    assert gate.message == "no pictures of 'cat' in validation; 'dog' in validation"
    gate = check_counts(table, MinimumSettings(validation=1))
    assert (gate.verdict, gate.value, gate.bound) == ("fail", 0, 1)


@pytest.mark.parametrize(("aside", "share"), [(0, 0), (1, 1)])
def test_a_source_that_gave_no_picture_is_judged_by_what_was_set_aside(
    pictures, examples, aside, share
):
    gate = check_quarantine(examples(pictures(0), quarantined=aside), 0.5)
    assert (gate.verdict, gate.value) == ("fail" if share else "pass", share)
