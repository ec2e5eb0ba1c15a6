"""The folder of served versions."""

import os
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest

from components import served_versions
from components.errors import UserError
from components.pusher.config import PushSettings
from components.served_versions import PushRecord, ServedState, Version


def make_version(destination: Path, name: str, content: str = "graph") -> Path:
    folder = destination / name
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    (folder / "variables" / "variables.index").write_text("weights")
    return folder


@pytest.fixture
def as_words(monkeypatch):
    """Folders list what they hold as words are sorted: 10 before 9."""
    for name in ("iterdir", "rglob"):
        listed = getattr(Path, name)
        monkeypatch.setattr(Path, name, lambda *given, listed=listed: sorted(listed(*given)))


def test_versions_are_the_numeric_folders_with_a_model_oldest_first(tmp_path, as_words):
    for name in ("1000", "999", ".staging-x", "notes", "007"):
        make_version(tmp_path, name)
    (tmp_path / "2000").mkdir()  # no model in it
    (tmp_path / "3000").write_text("a file")

    versions = served_versions.list_versions(tmp_path)

    assert [version.name for version in versions] == ["999", "1000"]
    assert [version.is_champion for version in versions] == [False, True]
    assert versions[0].path == tmp_path / "999"
    assert versions[0].pushed_at is None, "nothing tells when"
    assert versions[0].size_bytes == len("graph") + len("weights")
    assert served_versions.version_numbers(tmp_path) == [999, 1000, 2000]


def test_rollbacks_are_read_in_the_order_of_their_numbers(tmp_path, as_words):
    """What version 9 took back is served again as version 10."""
    now = datetime.now(timezone.utc)
    for version, told in {"9": {"digest": "a", "taken_back": "b"}, "10": {"digest": "b"}}.items():
        folder = served_versions.evidence_folder(tmp_path, version)
        folder.mkdir(parents=True)
        served_versions.write_push_record(folder, PushRecord(now, sizes={}, **told))
    assert served_versions.taken_back(tmp_path) == {}


def test_numbers_of_earlier_releases_tell_the_time_of_the_push(tmp_path):
    make_version(tmp_path, "1780000000")
    (version,) = served_versions.list_versions(tmp_path)
    assert version.pushed_at.isoformat() == "2026-05-28T20:26:40+00:00"


def test_a_number_that_servers_cannot_read_is_no_version_and_can_be_told(tmp_path):
    misnamed = ["007", "9223372036854775808", "99999999999999999999", "٨"]
    for name in ("7", "9223372036854775807", *reversed(misnamed)):
        make_version(tmp_path, name)
    for name in (".staging-x", "evidence", "notes"):
        (tmp_path / name).mkdir()
    names = [version.name for version in served_versions.list_versions(tmp_path)]
    assert names == ["7", "9223372036854775807"]
    assert served_versions.misnamed_versions(tmp_path) == misnamed


def test_the_state_and_the_fingerprint_follow_what_is_served(tmp_path):
    assert served_versions.served_state(tmp_path) == ServedState("", 0)
    seen = [served_versions.fingerprint(tmp_path)]
    make_version(tmp_path, "1")
    seen.append(served_versions.fingerprint(tmp_path))
    make_version(tmp_path, "2")
    assert served_versions.served_state(tmp_path) == ServedState("2", 2)
    seen.append(served_versions.fingerprint(tmp_path))
    (tmp_path / "2" / "saved_model.pb").write_text("other")
    seen.append(served_versions.fingerprint(tmp_path))
    (tmp_path / "evidence" / "3").mkdir(parents=True)  # of a version that was removed
    seen.append(served_versions.fingerprint(tmp_path))
    assert len(set(seen)) == len(seen)


def test_a_removed_version_is_known_by_its_evidence(tmp_path):
    (tmp_path / "evidence" / "4").mkdir(parents=True)
    make_version(tmp_path, "3")
    assert served_versions.served_state(tmp_path) == ServedState("3", 4)


@pytest.mark.parametrize(
    "content",
    [
        '{"pushed_at": ',
        "[]",
        "{}",
        '{"pushed_at": 3}',
        '{"pushed_at": "yesterday"}',
        '{"pushed_at": "2026-11-24T10:00:00+00:00", "unheard_of": 1}',
    ],
)
def test_a_damaged_record_of_a_push_is_named(tmp_path, content):
    make_version(tmp_path, "3")
    (tmp_path / "evidence" / "3").mkdir(parents=True)
    (tmp_path / "evidence" / "3" / "pushed.json").write_text(content)
    with pytest.raises(ValueError, match=r"evidence/3/pushed\.json is damaged: remove it"):
        served_versions.list_versions(tmp_path)


def test_a_record_that_cannot_be_read_is_not_taken_for_none(tmp_path):
    assert served_versions.read_push_record(tmp_path, "3") is None
    (tmp_path / "evidence" / "3" / "pushed.json").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        served_versions.read_push_record(tmp_path, "3")


def test_nothing_is_served_from_a_missing_or_an_empty_folder(tmp_path):
    assert served_versions.champion(tmp_path / "missing") is None
    assert served_versions.champion(tmp_path) is None
    assert served_versions.list_versions(tmp_path) == []


def test_a_file_in_place_of_the_folder_is_not_taken_for_an_empty_one(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        served_versions.list_versions(tmp_path / "file")


def test_a_champion_file_of_earlier_releases_is_not_passed_over_in_silence(tmp_path):
    make_version(tmp_path, "1")
    make_version(tmp_path, "2")
    assert served_versions.champion(tmp_path).name == "2"
    (tmp_path / "champion").write_text("1")
    with pytest.raises(UserError, match=r"champion .*remove it, .*graft versions rollback"):
        served_versions.champion(tmp_path)


def test_content_digest_follows_names_and_bytes_and_nothing_else(tmp_path):
    first = make_version(tmp_path, "1")
    digest = served_versions.content_digest(first)
    assert digest == served_versions.content_digest(make_version(tmp_path, "2"))
    assert digest != served_versions.content_digest(make_version(tmp_path, "3", "grape"))
    variables = first / "variables"
    variables.rename(first / "weights")
    assert digest != served_versions.content_digest(first)
    (first / "weights").rename(variables)
    assert digest == served_versions.content_digest(first)
    (variables / "variables.index").rename(variables / "other")
    assert digest != served_versions.content_digest(first)


def test_content_digest_is_the_same_however_folders_list_their_files(tmp_path, monkeypatch):
    model, listed, digests = make_version(tmp_path, "1"), Path.rglob, set()
    for reverse in (False, True):
        monkeypatch.setattr(
            Path, "rglob", lambda *given, turn=reverse: sorted(listed(*given), reverse=turn)
        )
        digests.add(served_versions.content_digest(model))
    assert len(digests) == 1


def test_content_digest_reads_files_to_their_end(tmp_path):
    long = "x" * (1 << 20)
    models = [make_version(tmp_path, str(n), long + end) for n, end in enumerate("ab", start=1)]
    assert len({served_versions.content_digest(model) for model in models}) == 2
    digests = [served_versions.file_digests(model) for model in models]
    assert digests[0] != digests[1]
    assert list(digests[0]) == ["saved_model.pb", "variables/variables.index"]


def test_check_writable_makes_the_folder_and_leaves_nothing_in_it(tmp_path):
    served_versions.check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_check_writable_refuses_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for destination in (tmp_path / "file", tmp_path / "file" / "serving"):
        with pytest.raises(ValueError, match=r"push\.destination: cannot write to .*file"):
            served_versions.check_writable(destination)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a read-only folder needs root")
def test_check_writable_refuses_a_read_only_folder(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(ValueError, match=r"push\.destination: cannot write .*Read-only"):
            served_versions.check_writable(tmp_path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_the_destination_must_be_a_folder_or_an_address_that_can_be_pushed_to():
    with pytest.raises(ValueError, match="a push is a conditional write as S3's protocol has it"):
        PushSettings(destination="gs://bucket/serving")


@pytest.mark.parametrize(
    ("change", "told", "told_by_the_digest"),
    [
        (lambda folder: None, "", ""),
        (
            lambda folder: (folder / "saved_model.pb").write_text("grape"),
            "saved_model.pb is not what was pushed",
            "its files are not those that were pushed",
        ),
        (
            lambda folder: (folder / "added").touch(),
            "added is not what was pushed",
            "its files are not those that were pushed",
        ),
        (
            lambda folder: (folder / "saved_model.pb").unlink(),
            "saved_model.pb is missing",
            "saved_model.pb is missing",
        ),
    ],
)
def test_what_became_of_a_version_is_told_as_far_as_its_record_knows(
    tmp_path, change, told, told_by_the_digest
):
    folder = make_version(tmp_path, "1")
    sizes = {"saved_model.pb": 5, "variables/variables.index": 7}
    digest, files = served_versions.content_digest(folder), served_versions.file_digests(folder)
    change(folder)
    now = datetime.now(timezone.utc)
    for record, expected in (
        (None, ""),
        (PushRecord(now, digest, sizes), told_by_the_digest),
        (PushRecord(now, digest, sizes, files), told),
    ):
        version = Version("1", folder, True, 12, record)
        assert served_versions.find_change(version) == expected


def test_a_state_names_the_highest_number_where_another_is_served():
    states = (ServedState("", 0), ServedState("2", 2), ServedState("1", 2), ServedState("", 2))
    assert list(map(str, states)) == [
        "no version",
        "version 2",
        "version 1 (highest: 2)",
        "no version (highest: 2)",
    ]
