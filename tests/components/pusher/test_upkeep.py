"""Versions that are served again, and versions that go."""

import os
import shutil
from datetime import datetime, timezone

import pytest

from components import served_versions
from components.errors import UserError
from components.pusher.prune import prune
from components.pusher.push import push, republish
from components.served_versions import PushRecord, read_push_record, served_state, withdrawn

pytestmark = pytest.mark.one_line


@pytest.fixture
def destination(tmp_path):
    """Serves three versions; the evidence of each holds its number."""
    folder = tmp_path / "serving"
    folder.mkdir()
    model, found = tmp_path / "model", tmp_path / "found"
    (model / "variables").mkdir(parents=True)
    found.mkdir()
    for name in ("1", "2", "3"):
        (model / "saved_model.pb").write_text(f"graph {name}")
        (model / "variables" / "variables.index").write_text("weights")
        (found / "gates.json").write_text(name)
        push(model, folder, served_state(folder), [found])
    return folder


def names(destination) -> list[str]:
    return [version.name for version in served_versions.list_versions(destination)]


def test_a_rollback_is_the_old_version_with_its_evidence_under_a_new_number(destination):
    old, taken_back = (read_push_record(destination, name) for name in ("1", "3"))
    version = republish(destination, "1", "too many cats")
    assert names(destination) == ["1", "2", "3", "4"]
    assert served_versions.champion(destination).path == version
    record = read_push_record(destination, "4")
    assert (record.digest, record.sizes, record.evidence) == (old.digest, old.sizes, old.evidence)
    assert served_versions.content_digest(version) == old.digest
    assert record.pushed_at > taken_back.pushed_at
    assert (record.republished, record.reason) == ("1", "too many cats")
    assert record.taken_back == taken_back.digest
    assert read_push_record(destination, "1") == old, "what was recorded of it stays"
    file = "saved_model.pb"
    assert (destination / "1" / file).samefile(version / file), "no second copy on the disk"
    evidence = [destination / "evidence" / name / "gates.json" for name in ("1", "4")]
    assert evidence[0].samefile(evidence[1])


def test_where_there_are_no_hard_links_a_rollback_copies(destination, monkeypatch):
    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    version = republish(destination, "1", "")
    old, record = (read_push_record(destination, name) for name in ("1", version.name))
    assert served_versions.content_digest(version) == old.digest
    evidence = served_versions.evidence_folder(destination, version.name)
    assert served_versions.evidence_digests(evidence) == record.evidence == old.evidence
    assert not (destination / "1" / "saved_model.pb").samefile(version / "saved_model.pb")


def test_what_was_taken_back_is_remembered_until_it_is_served_again(destination):
    digest = read_push_record(destination, "3").digest
    assert served_versions.taken_back(destination) == {}
    republish(destination, "2", "")
    assert served_versions.taken_back(destination) == {digest: "4"}
    republish(destination, "3", "it was right after all")
    other = read_push_record(destination, "2").digest
    assert served_versions.taken_back(destination) == {other: "5"}


def test_a_version_that_cannot_be_gone_back_to(destination):
    with pytest.raises(UserError, match=r"has no version 7 \(there are: 1, 2, 3\)"):
        republish(destination, "7", "")
    with pytest.raises(UserError, match=r"version 3 is what .* serves already"):
        republish(destination, "3", "")
    (destination / "1" / "saved_model.pb").write_text("graph 9")
    with pytest.raises(UserError, match=r"/1 is damaged: saved_model\.pb is not what was pushed"):
        republish(destination, "1", "")
    assert names(destination) == ["1", "2", "3"]


def test_a_version_of_an_earlier_release_can_be_gone_back_to(destination):
    shutil.rmtree(destination / "evidence" / "1")
    assert republish(destination, "1", "").name == "4"
    assert read_push_record(destination, "4").evidence == {}


def test_of_a_clock_that_ran_backwards_the_numbers_know_nothing(destination, monkeypatch):
    record = destination / "evidence" / "3" / "pushed.json"
    record.write_text(record.read_text().replace('"pushed_at": "2', '"pushed_at": "3'))
    assert republish(destination, "1", "").name == "4"


def test_the_newest_stay_and_so_does_the_evidence_of_all(destination):
    assert [version.name for version in prune(destination, keep=2)] == ["1"]
    assert names(destination) == ["2", "3"]
    assert (destination / "evidence" / "1" / "gates.json").read_text() == "1"
    assert {path.name for path in destination.iterdir()} == {"2", "3", "evidence"}
    assert prune(destination, keep=5) == []


def test_servers_see_no_version_of_which_files_are_missing(destination, monkeypatch):
    unlink, seen = os.unlink, []

    def look(*given, **options):
        seen.append(names(destination))
        unlink(*given, **options)

    monkeypatch.setattr(os, "unlink", look)
    prune(destination, keep=1)
    assert len(seen) >= 4 and all(served == ["3"] for served in seen)


def test_after_the_highest_number_nothing_is_served_again(destination):
    (destination / "evidence" / str(2**63 - 1)).mkdir()
    with pytest.raises(UserError, match=r"9223372036854775807 has the highest number that servers"):
        republish(destination, "1", "")
    assert names(destination) == ["1", "2", "3"]


def test_a_model_that_replaced_itself_is_served_and_not_taken_back():
    now = datetime.now(timezone.utc)
    again = PushRecord(now, "a", {}, republished="1", taken_back="a")
    other = PushRecord(now, "a", {}, republished="1", taken_back="b")
    assert withdrawn([("1", None), ("2", again)]) == {}
    assert withdrawn([("1", None), ("2", other), ("3", again)]) == {"b": "2"}


def test_what_is_served_is_never_removed(destination):
    with pytest.raises(UserError, match="--keep 0 would remove the version that is served"):
        prune(destination, keep=0)
    assert [version.name for version in prune(destination, keep=1)] == ["1", "2"]
    assert served_versions.champion(destination).name == "3"


def test_after_all_are_gone_numbers_go_on(destination, tmp_path):
    for name in names(destination):
        shutil.rmtree(destination / name)
    assert push(tmp_path / "model", destination, served_state(destination)).name == "4"


def test_nothing_to_remove_where_nothing_is(tmp_path):
    assert prune(tmp_path / "nowhere", keep=1) == []
    assert not (tmp_path / "nowhere").exists()
