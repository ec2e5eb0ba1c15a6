"""Drift from the data of the served model, skew between splits, and the test split."""

import re

import numpy as np
import pytest

from components.data_gate.config import DataGateSettings, DistanceSettings
from components.data_gate.drift import check_skew, compare_with_served, not_compared
from components.data_gate.evidence import Served
from components.data_gate.pictures import fingerprint, in_split

SETTINGS = DistanceSettings()


def served(table) -> Served:
    return Served("3", table, fingerprint(in_split(table, "test")))


def rows(table, than, settings=SETTINGS):
    return {gate.name: gate for gate in compare_with_served(table, served(than), settings)}


def test_the_same_data_pass(pictures):
    found = rows(pictures(), pictures())
    assert list(found) == ["label drift", "fact drift", "test split"]
    assert {gate.verdict for gate in found.values()} == {"pass"}
    message = "no significant difference above 0.1 from the data of version 3 (4 compared)"
    assert found["fact drift"].message == message
    gate = found["test split"]
    assert (gate.value, gate.bound) == (0, None)
    assert gate.message == "the 100 pictures that version 3 was judged on"


def test_other_pictures_of_the_same_kind_are_no_drift(pictures):
    found = rows(pictures(seed=1), pictures(seed=2))
    assert found["label drift"].verdict == found["fact drift"].verdict == "pass"


def test_copies_of_few_pictures_make_no_difference_certain(pictures):
    """A film's frames: of twenty pictures in a split ten copies each."""

    def films(seed: int):
        random = np.random.default_rng(seed)
        film = np.arange(1000) // 10
        return pictures(
            1000,
            seed=seed,
            group=[f"{seed}-{one}" for one in film],
            split=np.array(["train", "train", "train", "validation", "test"])[film % 5],
            label=np.where(random.random(100) < 0.5, "cat", "dog")[film],
            brightness=random.normal(120, 20, 100)[film],
        )

    for seed in range(5):
        found = rows(films(seed), films(seed + 5))
        gates = (found["label drift"], found["fact drift"], check_skew(films(seed), SETTINGS))
        assert {gate.verdict for gate in gates} == {"pass"}


def test_darker_pictures_stop_the_run(pictures):
    dark = np.random.default_rng(1).normal(60, 20, 500)
    gate = rows(pictures(brightness=dark), pictures())["fact drift"]
    assert (gate.verdict, gate.bound) == ("fail", 0.3) and gate.value > 0.8
    assert gate.message.startswith("differs from the data of version 3: brightness 0.8")
    assert gate.message.endswith(
        "; at most 0.3 is allowed: look at what is new, or raise data_gate.drift.fail"
    )


def test_a_small_but_certain_difference_passes_and_a_middling_one_warns(pictures):
    base = pictures(20_000)
    shifted = [pictures(20_000, brightness=base["brightness"] + shift) for shift in (2, 8)]
    small, middling = (rows(table, base)["fact drift"] for table in shifted)
    assert small.verdict == "pass" and 0.02 < small.value < 0.06, "significant, but no matter"
    assert middling.verdict == "warn" and "brightness 0.1" in middling.message


def test_a_large_difference_of_a_few_pictures_may_be_chance(pictures):
    few = pictures(10, brightness=np.linspace(60, 170, 10))
    other = pictures(10, brightness=np.linspace(90, 200, 10))
    gate = rows(few, other)["fact drift"]
    assert gate.verdict == "pass" and gate.value == 0


def test_other_shares_of_the_classes_stop_the_run(pictures):
    gate = rows(pictures(label=["cat"] * 450 + ["dog"] * 50), pictures())["label drift"]
    assert gate.verdict == "fail" and gate.value == pytest.approx(0.4)
    assert "labels 0.40 ('cat' 90.0% instead of 50.0%)" in gate.message


def test_thresholds_are_those_of_the_settings(pictures):
    labels = ["cat"] * 450 + ["dog"] * 50
    lenient = DistanceSettings(fail=0.5)
    assert rows(pictures(label=labels), pictures(), lenient)["label drift"].verdict == "warn"
    with pytest.raises(ValueError, match=r"warn must be at most fail = 0\.05, not 0\.1"):
        DistanceSettings(fail=0.05)
    for significance in (0.0, 1.0):
        with pytest.raises(ValueError, match=r"significance\n.*(greater than 0|less than 1)"):
            DistanceSettings(significance=significance)


def test_a_distance_that_is_what_is_allowed_is_allowed(pictures):
    table, than = pictures(label=["cat"] * 450 + ["dog"] * 50), pictures()
    distance = rows(table, than)["label drift"].value
    for warn, verdict in ((0.1, "warn"), (distance, "pass")):
        settings = DistanceSettings(warn=warn, fail=distance)
        assert rows(table, than, settings)["label drift"].verdict == verdict


def test_facts_that_the_served_data_lack_are_left_out(pictures):
    gate = rows(pictures(sharpness=1.0), pictures())["fact drift"]
    assert gate.verdict == "pass" and "(4 compared)" in gate.message


def test_columns_of_a_manifest_are_no_facts(pictures):
    assert rows(pictures(column_site="here"), pictures())["fact drift"].verdict == "pass"


def test_another_test_split_is_said(pictures):
    now, then = pictures(), pictures()
    test = now.index[now["split"] == "test"]
    now.loc[test[:3], "image_id"] = ["new 1", "new 2", "new 3"]
    now.loc[test[3], "label"] = "bird"
    now = now.drop(test[4])
    gate = rows(now, then)["test split"]
    assert gate.verdict == "warn" and gate.value == 3 + 1 + 4
    assert gate.message.startswith(
        "not the one that version 3 was judged on: of 99 pictures 3 are new and 1 have another "
        "label, 4 of its own are gone"
    )


def test_a_test_split_is_that_of_which_the_evidence_has_the_fingerprint(pictures):
    then = Served("3", pictures(), fingerprint(in_split(pictures(), "train")))
    *_, gate = compare_with_served(pictures(), then, SETTINGS)
    assert (gate.verdict, gate.value) == ("warn", 0)
    assert gate.message.startswith("not the one that version 3 was judged on: of 100 pictures 0 ")


def test_without_anything_to_compare_with_the_same_rows_say_why(pictures):
    gates = not_compared("no served model")
    assert [gate.name for gate in gates] == list(rows(pictures(), pictures()))
    assert {gate.verdict for gate in gates} == {"warn"}
    assert gates[0].message == "no served model: not compared"


def test_splits_of_one_kind_are_no_skew(pictures):
    gate = check_skew(pictures(), SETTINGS)
    assert gate.verdict == "pass" and "from the train split (10 compared)" in gate.message


def test_a_test_split_from_elsewhere_stops_the_run(pictures):
    table = pictures()
    table.loc[table["split"] == "test", "width"] += 150
    gate = check_skew(table, DistanceSettings(fail=0.5))
    assert gate.verdict == "fail" and gate.value > 0.6
    assert gate.message.startswith("differs from the train split: test width 0.")
    assert "raise data_gate.skew.fail" in gate.message
    test, train = map(float, re.search(r"\(median (\S+) instead of (\S+)\)", gate.message).groups())
    assert test > train + 100


def test_a_copy_in_another_split_is_a_picture_of_that_split_too(pictures):
    table = pictures()
    test, train = (table.index[table["split"] == split] for split in ("test", "train"))
    table.loc[test, "group"] = table.loc[train[: len(test)], "group"].to_numpy()
    table.loc[test, "label"] = "cat"
    gate = check_skew(table, SETTINGS)
    assert gate.verdict == "fail" and gate.value == pytest.approx(0.5)
    assert "test labels 0.50 ('cat' 100.0% instead of 50.0%)" in gate.message


def test_the_splits_of_a_run_may_differ_more_than_its_data_from_those_before(pictures):
    table = pictures()
    table["label"] = np.where(table["split"] == "train", table["label"], "cat")
    table.loc[(table.index % 50 == 3) | (table.index % 50 == 4), "label"] = "dog"  # of ten one
    settings = DataGateSettings()
    gate = check_skew(table, settings.skew)
    assert (gate.verdict, gate.value, gate.bound) == ("warn", pytest.approx(0.4), 0.5)
    assert check_skew(table, settings.drift).verdict == "fail"
