"""The record of verdicts on a test split."""

import json

import pytest

from components import destinations
from components.gates import Gate
from components.object_store import StoreError
from components.pusher.verdicts import count_models, note_verdict, verdict_row

pytestmark = pytest.mark.one_line
GOOD, BAD = Gate("accuracy", "pass", 1, 0, ""), Gate("parity", "fail", 1, 0, "")


def test_models_are_counted_once_on_each_test_split(tmp_path):
    for split, model, gates in [
        ("s", "m1", [GOOD]),
        ("s", "m1", [GOOD]),
        ("s", "m1", [GOOD, BAD]),
        ("s", "m2", [BAD]),
        ("t", "m3", [BAD]),
    ]:
        note_verdict(tmp_path, split, model, gates)
    assert (count_models(tmp_path, "s"), count_models(tmp_path, "t")) == (2, 1)
    assert count_models(tmp_path, "u") == 0
    notes = tmp_path / "evidence" / "verdicts" / "s" / "a-note.txt"
    notes.touch()
    assert count_models(tmp_path, "s") == 2
    notes.unlink()
    files = sorted(path.name for path in (tmp_path / "evidence" / "verdicts" / "s").iterdir())
    assert files == ["m1-fail.json", "m1-pass.json", "m2-fail.json"]


def test_a_test_split_is_worn_out_by_more_models_than_are_allowed(tmp_path):
    rows = [verdict_row(tmp_path, "s", f"m{number}", [GOOD], 2) for number in range(3)]
    assert [(row.verdict, row.value) for row in rows] == [("pass", 1), ("pass", 2), ("warn", 3)]
    assert rows[1].message == "2 model(s) judged on these test pictures"
    assert rows[2].message.startswith("3 model(s) judged on these test pictures, more than 2: ")


def test_a_no_says_what_failed(tmp_path):
    note_verdict(tmp_path, "s", "m", [GOOD, BAD])
    (file,) = tmp_path.rglob("m-fail.json")
    text = file.read_text()
    assert '"verdict": "fail",\n' in text, "a line for each fact"
    record = json.loads(text)
    assert record.pop("judged_at").endswith("+00:00")
    assert record == {"test_split": "s", "model": "m", "verdict": "fail", "failed": ["parity"]}


def test_a_record_that_cannot_be_written_is_a_warning(tmp_path):
    (tmp_path / "evidence").write_text("a file")
    row = verdict_row(tmp_path, "s", "m", [BAD], 20)
    assert (row.verdict, row.message) == ("warn", "verdict not on record: Not a directory")
    assert (row.value, row.bound) == (None, 20)


def test_what_a_store_says_of_a_record_that_it_does_not_take_is_told(monkeypatch):
    def refuse(*_):
        raise StoreError("s3://models/fruit: the store does not allow this")

    monkeypatch.setattr(destinations, "note", refuse)
    row = verdict_row("s3://models/fruit", "s", "m", [GOOD], 20)
    assert row.message == "verdict not on record: s3://models/fruit: the store does not allow this"
