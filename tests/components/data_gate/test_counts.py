"""Class counts and the share of files set aside."""

import pytest

from components.data_gate.config import MinimumSettings
from components.data_gate.counts import check_counts, check_quarantine


def test_enough_of_each_class_in_each_split(pictures):
    gate = check_counts(pictures(), MinimumSettings(train=150, validation=50, test=50))
    assert (gate.verdict, gate.value) == ("pass", 50)
    assert gate.message.startswith("2 classes with 150 to 150 in train, 50 to 50 in validation")


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
    assert (gate.verdict, gate.message) == ("warn", "no pictures of 'dog' in test")


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
    assert gate.verdict == "fail"
    assert gate.message == (
        "10 of 510 files were set aside (2.0%, at most 1.0%): see quarantine.jsonl beside the "
        "examples, or raise data_gate.max_quarantined"
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"total": 3}', '{"total": 3, "quarantined": {}}'])
def test_a_damaged_summary_is_told(pictures, examples, text):
    folder = examples(pictures())
    (folder / "summary.json").write_text(text)
    gate = check_quarantine(folder, 0.05)
    assert gate.verdict == "fail" and f"{folder / 'summary.json'} cannot be read" in gate.message


def test_all_that_is_absent_is_named(pictures):
    table = pictures(500, label=["cat", "dog", "fox", "owl"] * 125)
    table = table[(table["split"] != "test") | (table["label"] == "cat")]
    gate = check_counts(table, MinimumSettings())
    assert gate.message == "no pictures of 'dog' in test; 'fox' in test; 'owl' in test"


def test_a_share_that_is_what_is_allowed_is_allowed(pictures, examples):
    gate = check_quarantine(examples(pictures(90), quarantined=10), 0.1)
    assert (gate.verdict, gate.value) == ("pass", 0.1)
