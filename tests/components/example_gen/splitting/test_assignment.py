import collections
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.example_gen.config import SplitSettings
from components.example_gen.inspection.picture_table import Pictures
from components.example_gen.splitting.assignment import assign_by_hash, assign_by_ledger
from components.example_gen.splitting.grouping import Grouping
from components.example_gen.splitting.split_ledger import Entry

FRACTIONS = SplitSettings(train=0.7, validation=0.2, test=0.1)
NONE_GIVEN = frozenset()


def _id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _rows(labels, ids=None, given=None) -> Pictures:
    """Rows of which only ids, labels and given splits matter."""
    ids = ids or [_id(row) for row in range(len(labels))]
    given = given or [None] * len(labels)
    return Pictures(ids, ids, list(labels), list(given), *[np.zeros(len(ids))] * 3, [])


def _alone(pictures: Pictures) -> Grouping:
    return Grouping(list(pictures.ids), {})


def _counts(pictures, splits) -> dict[str, collections.Counter]:
    counts = collections.defaultdict(collections.Counter)
    for label, split in zip(pictures.labels, splits, strict=True):
        counts[label][split] += 1
    return counts


def test_by_hash_a_group_is_in_one_split_and_the_rest_stays():
    pictures = _rows("a" * 300)
    alone = assign_by_hash(pictures, pictures.ids, NONE_GIVEN, FRACTIONS).splits
    groups = list(pictures.ids)
    groups[7] = groups[9] = groups[3]
    grouped = assign_by_hash(pictures, groups, NONE_GIVEN, FRACTIONS).splits
    assert grouped[3] == grouped[7] == grouped[9] == alone[3]
    assert [split for row, split in enumerate(grouped) if row not in (7, 9)] == [
        split for row, split in enumerate(alone) if row not in (7, 9)
    ]
    assert set(grouped) == {"train", "validation", "test"}


def test_by_hash_copies_are_in_the_split_of_their_group():
    pictures = _rows("a" * 300)
    groups = [pictures.ids[row // 10] for row in range(300)]
    splits = assign_by_hash(pictures, groups, NONE_GIVEN, FRACTIONS).splits
    assert len(set(zip(groups, splits, strict=True))) == 30
    assert set(splits) == {"train", "validation", "test"}


def test_unlabelled_pictures_that_are_labelled_ones_are_left_out():
    pictures = _rows(["a", "", ""], given=[None, "unlabelled", "unlabelled"])
    groups = ["0" * 64, "0" * 64, "1" * 64]
    assignment = assign_by_hash(pictures, groups, NONE_GIVEN, FRACTIONS)
    assert assignment.splits == ["train", None, "unlabelled"]
    grouping = Grouping(groups, {})
    assert assign_by_ledger(pictures, grouping, NONE_GIVEN, FRACTIONS, {}).splits[1:] == [
        None,
        "unlabelled",
    ]


_LABELS = st.lists(st.sampled_from("abc"), min_size=1, max_size=200)


@settings(max_examples=60, deadline=None)
@given(_LABELS)
def test_a_ledger_keeps_the_ratios_to_one_picture_per_class(labels):
    pictures = _rows(labels)
    splits = assign_by_ledger(pictures, _alone(pictures), NONE_GIVEN, FRACTIONS, {}).splits
    for label, counts in _counts(pictures, splits).items():
        total = labels.count(label)
        for split, share in (("train", 0.7), ("validation", 0.2), ("test", 0.1)):
            assert abs(counts[split] - share * total) <= 1


@settings(max_examples=60, deadline=None)
@given(_LABELS, _LABELS, st.data())
def test_known_pictures_never_move_and_newcomers_fill_the_ratios(old, new, data):
    before = _rows(old)
    first = assign_by_ledger(before, _alone(before), NONE_GIVEN, FRACTIONS, {})
    kept = data.draw(st.lists(st.sampled_from(before.ids), unique=True))
    label_of = dict(zip(before.ids, before.labels, strict=True))
    ids = kept + [_id(1000 + row) for row in range(len(new))]
    after = _rows([label_of[i] for i in kept] + new, ids)
    second = assign_by_ledger(after, _alone(after), NONE_GIVEN, FRACTIONS, first.entries)
    assert second.splits[: len(kept)] == [first.entries[i].split for i in kept]
    assert set(second.entries) == set(ids[len(kept) :])
    # The same again changes nothing.
    third = assign_by_ledger(
        after, _alone(after), NONE_GIVEN, FRACTIONS, {**first.entries, **second.entries}
    )
    assert (third.splits, third.entries) == (second.splits, {})


def test_ten_per_cent_more_pictures_keep_the_ratios():
    labels = ["a"] * 500 + ["b"] * 250
    before = _rows(labels)
    known = assign_by_ledger(before, _alone(before), NONE_GIVEN, FRACTIONS, {}).entries
    after = _rows(labels + ["a"] * 75)
    splits = assign_by_ledger(after, _alone(after), NONE_GIVEN, FRACTIONS, known).splits
    assert all(known[i].split == split for i, split in zip(before.ids, splits, strict=False))
    counts = _counts(after, splits)["a"]
    assert [counts[s] for s in ("train", "validation", "test")] == pytest.approx(
        [402.5, 115, 57.5], abs=1
    )


def test_single_pictures_even_out_what_large_groups_do_to_the_ratios():
    pictures = _rows("a" * 60)
    # Their names sort last.
    groups = ["f" * 63 + str(row // 6) if row < 36 else pictures.ids[row] for row in range(60)]
    splits = assign_by_ledger(pictures, Grouping(groups, {}), NONE_GIVEN, FRACTIONS, {}).splits
    counts = collections.Counter(splits)
    assert [counts[s] for s in ("train", "validation", "test")] == [42, 12, 6]
    assert len(set(zip(groups, splits, strict=True))) == len(set(groups))


def test_many_small_classes_leave_no_split_empty():
    pictures = _rows([f"class {row // 3}" for row in range(60)])
    splits = assign_by_ledger(pictures, _alone(pictures), NONE_GIVEN, FRACTIONS, {}).splits
    counts = collections.Counter(splits)
    assert [counts[s] for s in ("train", "validation", "test")] == pytest.approx([42, 12, 6], abs=2)


def test_most_pictures_are_where_they_would_be_without_a_ledger():
    pictures = _rows("a" * 1000)
    by_hash = assign_by_hash(pictures, pictures.ids, NONE_GIVEN, FRACTIONS).splits
    splits = assign_by_ledger(pictures, _alone(pictures), NONE_GIVEN, FRACTIONS, {}).splits
    assert sum(a != b for a, b in zip(by_hash, splits, strict=True)) < 50


def test_where_the_draws_fill_the_ratios_nothing_moves():
    wanted = {"train": 7, "validation": 2, "test": 1}
    ids = []
    for image_id in map(_id, range(200)):
        (split,) = assign_by_hash(_rows("a", [image_id]), [image_id], NONE_GIVEN, FRACTIONS).splits
        if wanted[split]:
            wanted[split] -= 1
            ids.append(image_id)
    pictures = _rows("a" * 10, ids)
    by_hash = assign_by_hash(pictures, ids, NONE_GIVEN, FRACTIONS).splits
    assert assign_by_ledger(pictures, _alone(pictures), NONE_GIVEN, FRACTIONS, {}).splits == by_hash


def test_a_copy_joins_its_group_and_one_of_two_groups_is_set_aside():
    pictures = _rows("aaaaaa")
    one, two, copy, bridge, other, again = pictures.ids
    known = {one: Entry(one, "train"), two: Entry("gone", "test")}
    # `copy` is like two, `bridge` like both, `other` like none; `again` is like `other`.
    grouping = Grouping([one, two, two, one, other, other], {bridge: [two]})
    assignment = assign_by_ledger(pictures, grouping, NONE_GIVEN, FRACTIONS, known)
    assert assignment.splits[:4] == ["train", "test", "test", None]
    assert assignment.splits[4] == assignment.splits[5]
    assert assignment.set_aside == {3: "a copy of pictures in test and train"}
    assert assignment.entries == {
        copy: Entry("gone", "test"),
        other: Entry(other, assignment.splits[4]),
        again: Entry(other, assignment.splits[5]),
    }


def test_known_copies_in_two_splits_stay_there():
    pictures = _rows("aaa")
    one, two, new = pictures.ids
    known = {one: Entry(one, "train"), two: Entry(two, "test")}
    grouping = Grouping([one, one, one], {})
    assignment = assign_by_ledger(pictures, grouping, NONE_GIVEN, FRACTIONS, known)
    assert assignment.splits == ["train", "test", None]
    assert new not in assignment.entries


def test_what_the_source_says_is_not_for_the_ledger():
    given_splits = ["train", "validation", "validation", "validation"]
    pictures = _rows("aaaa", given=given_splits)
    known = {i: Entry(i, "test") for i in pictures.ids[:2]}
    available = frozenset({"train", "validation"})
    assignment = assign_by_ledger(pictures, _alone(pictures), available, FRACTIONS, known)
    assert assignment.splits[:2] == ["train", "test"]
    assert set(assignment.entries) == set(pictures.ids[2:])
    assert set(assignment.splits[2:]) <= {"validation", "test"}


def test_pictures_that_are_set_aside_take_no_room_in_the_splits():
    pictures = _rows("a" * 30)
    one, two, *new = pictures.ids
    known = {one: Entry(one, "train"), two: Entry(two, "test")}
    # Ten are like both of the known ones; eighteen are like none.
    grouping = Grouping([one, two, *[one] * 10, *new[10:]], {both: [two] for both in new[:10]})
    assignment = assign_by_ledger(pictures, grouping, NONE_GIVEN, FRACTIONS, known)
    assert sorted(assignment.set_aside) == list(range(2, 12))
    counts = collections.Counter(assignment.splits)
    assert [counts[s] for s in ("train", "validation", "test")] == [14, 4, 2]


def test_a_copy_does_not_draw_a_picture_out_of_the_split_of_its_source():
    pictures = _rows("aaa", given=["validation", "train", "validation"])
    first, _, again = pictures.ids
    known = {first: Entry(first, "test")}
    available = frozenset({"train", "validation"})
    assignment = assign_by_ledger(pictures, Grouping([first] * 3, {}), available, FRACTIONS, known)
    assert assignment.splits == ["test", "train", "test"]
    assert assignment.entries == {again: Entry(first, "test")}


def test_the_order_of_the_pictures_does_not_matter():
    labels = [f"class {row % 20:02d}" for row in range(60)]
    pictures = _rows(labels)
    splits = assign_by_ledger(pictures, _alone(pictures), NONE_GIVEN, FRACTIONS, {}).splits
    turned = _rows(labels[::-1], pictures.ids[::-1])
    again = assign_by_ledger(turned, _alone(turned), NONE_GIVEN, FRACTIONS, {}).splits
    assert again[::-1] == splits


def test_copies_in_two_classes_take_room_in_both():
    """Twice as many cats as dogs; each dog has a copy among the cats."""
    pictures = _rows(["cats"] * 20 + ["dogs"] * 10)
    groups = [*pictures.ids[:20], *pictures.ids[:10]]
    splits = assign_by_ledger(pictures, Grouping(groups, {}), NONE_GIVEN, FRACTIONS, {}).splits
    counts = _counts(pictures, splits)
    assert counts["cats"] == {"train": 14, "validation": 4, "test": 2}
    assert counts["dogs"] == {"train": 7, "validation": 2, "test": 1}


def test_a_share_that_is_a_whole_number_of_pictures_is_met_whatever_other_classes_owe():
    pictures = _rows(["cats"] * 5 + ["dogs"] * 90)
    splits = assign_by_ledger(pictures, _alone(pictures), NONE_GIVEN, FRACTIONS, {}).splits
    assert _counts(pictures, splits)["dogs"] == {"train": 63, "validation": 18, "test": 9}
