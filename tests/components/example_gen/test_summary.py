import numpy as np
import pytest

from components.errors import UserError
from components.example_gen.config import DataSettings
from components.example_gen.inspection.picture_table import Pictures
from components.example_gen.reading.source import Source
from components.example_gen.splitting.grouping import Duplicates
from components.example_gen.summary import (
    Quarantined,
    ShardReport,
    Summary,
    check_labels,
    check_usable,
    sorted_quarantine,
    summarise,
    summarise_fixes,
    summarise_unlabelled,
)


def _report(quarantined=()) -> ShardReport:
    return ShardReport("", "", 0, [Quarantined(path, "bad") for path in quarantined], {})


def _check(settings: dict, quarantined=(), **counts) -> None:
    """`train={"cats": 3}` gives a split's pictures."""
    found = sorted_quarantine([_report(quarantined)])
    total = sum(sum(of_split.values()) for of_split in counts.values())
    summary = Summary(["cats", "dogs"], total, counts, len(found), {}, 0, Duplicates(0, 0, 0, 0))
    assert Summary.from_json(summary.to_json()) == summary
    check_usable(summary, found, DataSettings(**settings), "/pictures")


def _counts(cats: int, dogs: int) -> dict:
    rest = {"cats": 1, "dogs": 1}
    return {"train": {"cats": cats - 2, "dogs": dogs - 2}, "validation": rest, "test": rest}


def test_as_many_pictures_as_the_smallest_class_needs_are_enough():
    _check({"min_per_class": 5}, **_counts(9, 5))
    one, other = {"cats": 1, "dogs": 0}, {"cats": 0, "dogs": 1}
    _check({}, train={"cats": 3, "dogs": 3}, validation=one, test=other)
    with pytest.raises(UserError, match="class 'dogs' in /pictures has 4 usable"):
        _check({"min_per_class": 5}, **_counts(9, 4))


def test_as_many_bad_files_as_are_allowed_are_no_reason_to_stop():
    settings = {"max_quarantined": 0.1}
    _check(settings, ["1.jpg", "2.jpg"], **_counts(9, 9))
    with pytest.raises(UserError, match=r"3 of 21 files .* data\.max_quarantined = 0\.1 allows"):
        _check(settings, ["1.jpg", "2.jpg", "3.jpg"], **_counts(9, 9))


def test_the_same_limit_holds_for_unlabelled_files():
    settings = DataSettings(max_quarantined=0.1)
    found = summarise_unlabelled([_report(["1.jpg", "2.jpg"])], 18, 0, settings, "/more")
    assert found == {"usable": 18, "copies": 0, "quarantined": 2}
    with pytest.raises(UserError, match=r"3 of 21 files in pseudo_labels\.source /more"):
        summarise_unlabelled([_report(["1.jpg", "2.jpg", "3.jpg"])], 18, 0, settings, "/more")


def test_unlabelled_copies_of_labelled_pictures_are_files_and_no_pictures_to_learn_from():
    reports, settings = [_report(["1.jpg"]), _report(["2.jpg"])], DataSettings(max_quarantined=0.1)
    found = summarise_unlabelled(reports, 8, 10, settings, "/more")
    assert found == {"usable": 8, "copies": 10, "quarantined": 2}
    says = r"^pseudo_labels\.source /more has no picture of its own: all 18 that can be used are la"
    with pytest.raises(UserError, match=says):
        summarise_unlabelled(reports, 0, 18, settings, "/more")


def test_names_in_messages_cannot_steer_a_terminal():
    with pytest.raises(UserError) as error:
        _check({}, ["\x1b[2Jgone\u202egpj.jpg"], **_counts(4, 4))
    assert "\\x1b[2Jgone\\u202egpj.jpg: bad" in str(error.value)
    assert str(error.value).isprintable()


def test_quarantine_is_sorted_by_path_and_keeps_the_names_as_they_are():
    entries = sorted_quarantine([_report(["b\n.jpg"]), _report(["a.jpg"])])
    assert [entry.path for entry in entries] == ["a.jpg", "b\n.jpg"]
    assert entries[1].to_json() == '{"path": "b\\n.jpg", "reason": "bad"}'


def test_what_people_read_has_their_letters():
    counts = {"train": {"süß": 3}}
    summary = Summary(["süß"], 3, counts, 0, {}, 0, Duplicates(0, 0, 0, 0))
    assert summary.to_json().count('"süß"') == 2
    assert Quarantined("süß/1.jpg", "bad").to_json() == '{"path": "süß/1.jpg", "reason": "bad"}'


@pytest.mark.parametrize(
    ("copies", "hint"), [(0, "data.split.test$"), (7, r"\(7 of the pictures are copies of others")]
)
def test_an_empty_split_names_copies_as_a_reason_where_there_are_any(copies, hint):
    for split, rest in (("test", {"cats": 0, "dogs": 0}), ("train", {"cats": 7, "dogs": 0})):
        counts = {**_counts(9, 9), split: rest}
        summary = Summary(["cats", "dogs"], 16, counts, 0, {}, 0, Duplicates(copies, 0, 0, 0))
        with pytest.raises(UserError, match=hint.replace("test", split)):
            check_usable(summary, [], DataSettings(min_per_class=1), "/pictures")


def test_all_shards_are_added_up():
    reports = [
        ShardReport("r", "t", 3, [], {"WEBP": 2, "BMP": 1}, fixed=["a", "a", "b"], dropped=1),
        ShardReport("", "", 2, [Quarantined("x", "bad")], {"WEBP": 3}, ["b", "c"], dropped=1),
    ]
    assert [ShardReport.from_json(one.to_json()) for one in reports] == reports
    ids = ["1", "2", "3", "4"]
    labels = ["cats", "cats", "dogs", ""]
    pictures = Pictures(ids, ids, labels, [None] * 4, *[np.zeros(4)] * 3, [])
    splits = ["train", "test", None, "unlabelled"]
    summary = summarise(
        Source("/pictures", ("cats", "dogs"), (), 7), reports, 5, pictures, ids, splits
    )
    assert summary == Summary(
        classes=["cats", "dogs"],
        total=2,
        counts={
            "train": {"cats": 1, "dogs": 0},
            "validation": {"cats": 0, "dogs": 0},
            "test": {"cats": 1, "dogs": 0},
        },
        quarantined=5,
        converted={"WEBP": 5, "BMP": 1},
        ignored=7,
        duplicates=Duplicates(0, 0, 0, 0),
    )
    # Copies of a picture are fixed each, by one fix.
    assert summarise_fixes(reports, 4) == {"relabelled": 3, "dropped": 2, "gone": 1}


def test_the_first_three_files_of_all_that_were_set_aside_are_shown():
    with pytest.raises(UserError, match=r"^5 of 21 .* 1: bad; 2: bad; 3: bad$"):
        _check({"max_quarantined": 0.0}, "54321", **_counts(8, 8))


def test_the_first_three_pictures_under_two_labels_are_shown():
    check_labels([], "/pictures")
    pairs = [(f"cats/{n}\x1b.jpg", f"dogs/{n}.jpg") for n in range(4)]
    with pytest.raises(UserError) as error:
        check_labels(pairs, "/pictures")
    shown = "; ".join(f"cats/{n}\\x1b.jpg and dogs/{n}.jpg" for n in range(3))
    assert str(error.value).startswith(
        f"4 picture(s) in /pictures have copies in another class, as {shown}: remove the wrong"
    )
