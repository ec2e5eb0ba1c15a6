"""`graft versions`."""

import json
import shutil
import time
from datetime import datetime, timedelta, timezone

import pytest

from components import served_versions
from components.errors import UserError
from components.gates import Gate, write_gates
from components.pusher.push import push
from components.served_versions import served_state
from pipeline.commands.versions import (
    diff_versions,
    list_versions,
    prune_versions,
    roll_back,
    show_version,
)


@pytest.fixture
def shown(tmp_path, capfd):
    """`shown(*names)` serves such folders and one that is pushed; gives what is listed."""
    destination = tmp_path / "tiny" / "serving"
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_text("graph")
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(f"name: tiny\nworkspace: {tmp_path}\n")

    def shown(*names: str) -> list[str]:
        for name in names:
            shutil.copytree(model, destination / name)
        if names:
            push(model, destination, served_state(destination))
        list_versions(str(recipe), [], as_json=False)
        return capfd.readouterr().out.splitlines()

    return shown


def test_the_newest_is_first_with_the_time_of_its_push(shown, tmp_path):
    today = f"{datetime.now(timezone.utc).astimezone():%Y-%m-%d}"
    lines = shown("7", "1780000000")
    assert f"{tmp_path}/tiny/serving" in "".join(line.strip() for line in lines)
    rows = [line for line in lines if "5 bytes" in line]
    assert [row.split()[1] for row in rows] == ["1780000001", "1780000000", "7"]
    assert today in rows[0] and "served" in rows[0]
    assert "2026-05-2" in rows[1] and "not known" in rows[2]
    assert "served" not in rows[1] + rows[2]


def test_a_version_of_an_earlier_release_is_served_as_any_other(graft, destination):
    shutil.rmtree(destination / "2")
    shutil.rmtree(destination / "3")
    (row,) = [line for line in graft(list_versions, False).splitlines() if "not known" in line]
    assert row.strip("│ ").endswith("served")
    (told,) = json.loads(graft(list_versions, True))
    assert (told["version"], told["served"], told["pushed_at"]) == ("1", True, None)


def test_a_folder_that_servers_cannot_read_is_told(shown):
    (line,) = [line for line in shown("99999999999999999999") if "9999" in line]
    assert line.endswith("99999999999999999999 is no version: servers cannot read its number")


def test_a_record_is_read_once(shown, monkeypatch):
    read, read_push_record = [], served_versions.read_push_record

    def count(destination, version):
        read.append(version)
        return read_push_record(destination, version)

    shown("7")
    monkeypatch.setattr(served_versions, "read_push_record", count)
    shown()
    assert read == ["7", "8"]


def test_nothing_is_served_yet(shown, tmp_path):
    assert shown() == [f"Nothing is served at {tmp_path / 'tiny' / 'serving'} yet"]


def test_what_is_known_of_the_served_version_is_shown(graft):
    text = graft(show_version, None, False)
    for words in ("/3", "tiny", "/pictures", "graft 1.0", "abc, with changes", "0.2 of all"):
        assert words in text, words
    assert "300 of 400 validation pictures; accuracy 0.9901 proved" in text and "1.500" in text
    assert "label set" not in text
    known = json.loads(graft(show_version, "2", True))
    assert known["version"] == "2" and not known["served"]
    assert known["provenance"]["recipe"]["rate"] == 0.1
    assert known["gates"]["accuracy"]["value"] == pytest.approx(0.91)


def test_of_an_earlier_release_little_is_known_and_that_is_said(graft):
    assert "nothing more is known of it" in graft(show_version, "1", False)
    with pytest.raises(UserError, match="version 1 was pushed by an earlier release"):
        graft(diff_versions, "1", "2", False)


def test_where_its_origin_is_missing_that_is_said_too(graft, destination):
    assert "nothing more is known" not in graft(show_version, "3", False)
    (destination / "evidence" / "3" / "provenance.json").unlink()
    assert "nothing more is known of it" in graft(show_version, "3", False)


def test_a_difference_is_told_by_the_key_of_what_differs(graft):
    found = json.loads(graft(diff_versions, "2", "3", True))
    assert found.pop("digest")
    assert found.pop("calibration.temperature") == [None, 1.5]
    assert {key for key in found if key.startswith("calibration")} == {
        "calibration.pictures",
        "calibration.abstention.sure",
        "calibration.abstention.proved",
    }
    found = {key: value for key, value in found.items() if not key.startswith("calibration")}
    assert found == {
        "provenance.recipe.rate": [0.1, 0.2],
        "gates.accuracy.value": [pytest.approx(0.91), pytest.approx(0.92)],
        "gates.accuracy.message": ["0.1 of all", "0.2 of all"],
    }
    assert "provenance.recipe.rate" in graft(diff_versions, "2", "3", False)
    assert "differ in nothing" in graft(diff_versions, "2", "2", False)


def test_what_only_one_version_has_is_a_difference_too(graft, destination, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    more = Gate("auc", "pass", 0.99, 0.9, "0.99 of all")
    write_gates(
        destination / "evidence" / "3", [Gate("accuracy", "pass", 0.92, 0.8, "0.2 of all"), more]
    )
    for names, values in ((("2", "3"), [None, 0.99]), (("3", "2"), [0.99, None])):
        assert json.loads(graft(diff_versions, *names, True))["gates.auc.value"] == values
        told = {row[0]: row[1:] for row in cells(graft(diff_versions, *names, False))}
        said = ["–" if value is None else "0.99 of all" for value in values]
        assert told["gates.auc.message"] == said
        assert not {"gates.auc.name", "gates.auc.value"} & set(told), "its message tells these"


def test_a_rollback_goes_to_the_version_before_unless_told(graft, destination):
    said = graft(roll_back, None, "it was better")
    assert said == "Version 4 is served: it is version 2 again, in place of 3\n"
    assert "Version 5 is served: it is version 1 again" in graft(roll_back, "1", "")
    rows = [line.split("│")[1:] for line in graft(list_versions, False).splitlines() if "│" in line]
    assert [(row[0].strip(), row[3].strip()) for row in rows] == [
        ("5", "served, 1 again"), ("4", "2 again"), ("3", ""), ("2", ""), ("1", ""),
    ]  # fmt: skip
    assert [row["served"] for row in json.loads(graft(list_versions, True))] == [True, *[False] * 4]


def test_a_second_rollback_goes_further_back_and_never_to_what_was_taken_back(graft, destination):
    for again, replaced in (("2", "3"), ("1", "4")):
        said = f": it is version {again} again, in place of {replaced}\n"
        assert graft(roll_back, None, "cats became dogs").endswith(said)
    with pytest.raises(UserError, match="before 5 to go back to: the others were taken back"):
        graft(roll_back, None, "")
    assert "it is version 3 again, in place of 5" in graft(roll_back, "3", "")


def test_a_rollback_has_somewhere_to_go(graft, destination):
    graft(prune_versions, 1)
    with pytest.raises(UserError, match=r"has no version before 3 to go back to$"):
        graft(roll_back, None, "")
    shutil.rmtree(destination / "3")
    with pytest.raises(UserError, match=r"nothing is served at .*serving yet"):
        graft(roll_back, None, "")


def test_what_was_pruned_can_be_asked_about_but_not_be_served(graft):
    assert graft(prune_versions, 1).endswith("Removed 1, 2: 14 bytes. Their evidence stays\n")
    assert graft(prune_versions, 1).endswith("Nothing to remove\n")
    with pytest.raises(UserError, match=r"has no version 2 \(there are: 3\)"):
        graft(roll_back, "2", "")
    assert "0.1" in graft(diff_versions, "2", "3", False)
    text = graft(show_version, "2", False)
    assert "no: removed" in text and "accuracy" in text
    with pytest.raises(UserError, match=r"has no version 7 \(there are: 3\)"):
        graft(show_version, "7", False)


def cells(text: str) -> list[list[str]]:
    """The rows of a table."""
    rows = [line.split("│")[1:-1] for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row] for row in rows]


def test_each_fact_of_a_version_stands_beside_its_name(graft, destination):
    evidence = destination / "evidence" / "2"
    facts = json.loads((evidence / "provenance.json").read_text())
    facts["recipe"]["data"]["source"] = source = "/some/pictures" * 9
    facts |= {"versions": {"graft": "1.0", "tfx": "1.16"}, "git": {"revision": "d", "dirty": False}}
    (evidence / "provenance.json").write_text(json.dumps(facts))
    sets = {"coverage": 0.95, "mean_size": 1.255}
    (evidence / "calibration.json").write_text(json.dumps({"label_sets": sets}))
    text = graft(show_version, "2", False)
    assert text.splitlines()[2].startswith("│ pushed "), "there is no heading"
    assert source in "".join(row[1] for row in cells(text)), "as long as it is"
    shown = dict(cells(text)[:-1])
    assert {key: shown.get(key) for key in ("size", "served", "made by", "git", "label set")} == {
        "size": "7 bytes",
        "served": "no",
        "made by": "graft 1.0, tfx 1.16",
        "git": "d",
        "label set": "0.95 covered by 1.25 classes",
    }
    assert "temperature" not in shown and "sure of" not in shown


def test_a_rollback_is_told_with_its_reason(graft):
    graft(roll_back, None, "cats became dogs")
    graft(roll_back, "3", "")
    for version, told in (("4", "version 2 again; cats became dogs"), ("5", "version 3 again; no")):
        shown = dict(row[:2] for row in cells(graft(show_version, version, False)) if len(row) == 2)
        assert shown["rollback"].startswith(told)
        assert shown["served"] == ("yes" if version == "5" else "no")


def test_times_are_those_of_the_wall_clock_here(graft, monkeypatch, wall_clock):
    wall_clock("Asia/Kolkata")
    versions = graft(list_versions, True)
    pushed = [row["pushed_at"] for row in json.loads(versions)]
    assert pushed[-1] is None, "an earlier release"
    times = [datetime.fromisoformat(time) for time in pushed[:-1]]
    assert all(time.tzinfo for time in times) and "T" in pushed[0]
    here = [
        f"{time.astimezone(timezone(timedelta(hours=5.5))):%Y-%m-%d %H:%M:%S}" for time in times
    ]
    assert [row[1] for row in cells(graft(list_versions, False))] == [*here, "not known"]


@pytest.fixture
def wall_clock(monkeypatch):
    """`wall_clock(zone)` sets the time zone of this machine, for this test."""

    def set_zone(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


def test_programs_get_the_size_in_bytes(graft, destination):
    (destination / "2" / "more").write_bytes(b"x" * 5000)
    assert [row["size_bytes"] for row in json.loads(graft(list_versions, True))] == [7, 5007, 7]


def test_a_difference_is_shown_in_the_order_that_was_asked_for(graft):
    for first, second in (("2", "3"), ("3", "2")):
        heading, *rows = graft(diff_versions, first, second, False).splitlines()[1:]
        assert heading.replace("┃", " ").split() == [first, second]
        (rate,) = (row.split("│") for row in rows if "recipe.rate" in row)
        values = {"2": "0.1", "3": "0.2"}
        assert [cell.strip() for cell in rate[2:4]] == [values[first], values[second]]


def test_a_version_that_never_was_is_not_one_of_an_earlier_release(graft):
    for names in (("9", "2"), ("2", "9")):
        with pytest.raises(UserError, match=r"has no version 9 \(there are: 1, 2, 3\)"):
            graft(diff_versions, *names, False)


def test_what_is_empty_is_a_value_that_can_differ(graft, destination):
    for version, inputs in (("2", {}), ("3", {"weights": "a1"})):
        file = destination / "evidence" / version / "provenance.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"inputs": inputs}))
    found = json.loads(graft(diff_versions, "2", "3", True))
    assert found["provenance.inputs"] == [{}, None]
    assert found["provenance.inputs.weights"] == [None, "a1"]


def test_gates_of_which_a_field_is_missing_are_damaged(graft, destination):
    (destination / "evidence" / "3" / "gates.json").write_text('[{"name": "accuracy"}]')
    with pytest.raises(UserError, match=r"evidence/3/gates\.json is damaged"):
        graft(show_version, None, False)


def test_the_digest_of_a_version_is_known_to_programs(graft, destination):
    record = json.loads((destination / "evidence" / "3" / "pushed.json").read_text())
    assert json.loads(graft(show_version, None, True))["digest"] == record["digest"]


def test_evidence_that_cannot_be_read_is_named(graft, destination):
    (destination / "evidence" / "3" / "provenance.json").write_text("{")
    with pytest.raises(UserError, match=r"evidence/3/provenance\.json is damaged"):
        graft(show_version, None, False)


def test_a_setting_that_is_named_as_a_field_of_a_gate_is_shown(graft, destination):
    file = destination / "evidence" / "3" / "provenance.json"
    facts = json.loads(file.read_text())
    facts["recipe"]["name"] = "other"
    file.write_text(json.dumps(facts))
    rows = cells(graft(diff_versions, "2", "3", False))
    assert ["provenance.recipe.name", "tiny", "other"] in rows


def test_what_was_made_outside_of_git_has_no_revision(graft, destination):
    file = destination / "evidence" / "3" / "provenance.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"git": None}))
    shown = [row[0] for row in cells(graft(show_version, "3", False))]
    assert "made by" in shown and "git" not in shown


def test_of_an_earlier_release_programs_get_a_digest_of_null(graft):
    known = json.loads(graft(show_version, "1", True))
    assert known["digest"] is None and known["provenance"] == known["gates"] == {}
    assert "calibration" not in known


def test_a_folder_that_servers_cannot_read_is_told_also_where_nothing_else_is(shown, tmp_path):
    (tmp_path / "tiny" / "serving" / "99999999999999999999").mkdir(parents=True)
    nothing, line = shown()
    assert nothing.endswith("serving yet") and line.endswith("servers cannot read its number")


def test_words_of_a_recipe_are_shown_as_they_are(graft, destination, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    file = destination / "evidence" / "3" / "provenance.json"
    facts = json.loads(file.read_text())
    facts["recipe"] |= {"[red]key": 1, "data": {"source": "/[b]pictures"}}
    file.write_text(json.dumps(facts))
    assert ["source", "/[b]pictures"] in cells(graft(show_version, "3", False))
    assert "provenance.recipe.[red]key" in {
        row[0] for row in cells(graft(diff_versions, "2", "3", False))
    }
