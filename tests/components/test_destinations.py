"""Destinations: which are taken, and that a folder and a store are asked alike."""

import errno
from pathlib import Path

import pytest

from components import destinations, served_versions
from components.errors import UserError
from components.object_store import ObjectStore, StoreError
from components.pusher import bucket_push
from components.pusher import push as push_to_folder
from components.pusher.push import push
from components.served_versions import ServedState
from tests.fixtures.object_store import s3_keys

ADDRESS = "s3://models/fruit"


@pytest.mark.one_line
@pytest.mark.parametrize(
    ("given", "checked"),
    [
        ("serving", "serving"),
        ("/mnt/models/fruit", "/mnt/models/fruit"),
        ("s3://models/fruit", "s3://models/fruit"),
        ("s3://models/team/fruit//", "s3://models/team/fruit"),
    ],
)
def test_what_is_taken(given, checked):
    assert destinations.checked(given) == checked


@pytest.mark.one_line
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("gs://models/fruit", "gs://models/fruit: pictures may lie there, served versions may not"),
        ("https://example.com/x", "must be a folder or s3://BUCKET/FOLDER, not a URL such as http"),
        ("https://example.com/?of=s3://a/b", "must be a folder or s3://BUCKET/FOLDER, not a URL"),
        ("s3://models", "s3://models: write s3://BUCKET/FOLDER, as s3://models/fruit"),
        ("s3://models/a/../b", "write s3://BUCKET/FOLDER"),
        ("s3://models/a/./b", "write s3://BUCKET/FOLDER"),
        ("s3://models/a//b", "write s3://BUCKET/FOLDER"),
    ],
)
def test_what_is_not(given, says):
    with pytest.raises(ValueError, match=says) as error:
        destinations.checked(given)
    assert "\n" not in str(error.value)


@pytest.mark.one_line
def test_a_folder_is_the_same_from_every_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for given in ("serving", Path("serving"), str(tmp_path / "serving")):
        assert destinations.absolute(given) == str(tmp_path / "serving")
    assert destinations.absolute(ADDRESS) == ADDRESS


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_folder_and_a_store_are_asked_alike(kind, request, saved_model, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    destination = tmp_path / "serving"
    if kind == "bucket":
        request.getfixturevalue("s3")
        destination = ADDRESS
    destinations.check_readable(destination)
    destinations.check_writable(destination)
    empty = destinations.fingerprint(destination)
    assert destinations.champion(destination) is None
    assert destinations.local_champion(destination) is None
    assert destinations.served_digest(destination) == ("", "")
    assert destinations.list_versions(destination) == []
    with pytest.raises(ValueError, match=f"nothing is served at {destination} yet"):
        destinations.find_version(destination)

    push_to = bucket_push.push if kind == "bucket" else push
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "gates.json").write_text("[]")
    for name in ("one", "two"):
        state = destinations.served_state(destination)
        place = push_to(saved_model(name), destination, state, [tmp_path / "evidence"])
        assert str(place) == destinations.place_of(destination, str(state.highest + 1))
    digest = served_versions.content_digest(tmp_path / "models" / "two")
    assert destinations.served_digest(destination) == ("2", digest)
    assert destinations.served_state(destination) == ServedState("2", 2)
    assert destinations.fingerprint(destination) == f"2 2 {digest}" != empty
    first, second = destinations.list_versions(destination)
    assert destinations.champion(destination) == destinations.find_version(destination) == second
    assert destinations.find_version(destination, "1") == first
    assert (first.is_champion, second.is_champion) == (False, True)
    assert first.size_bytes == sum(first.record.sizes.values()) == 4
    assert str(first.path) == destinations.place_of(destination, "1")
    with pytest.raises(ValueError, match=r"has no version 7 \(there are: 1, 2\)"):
        destinations.find_version(destination, "7")
    with destinations.open_version(destination, first) as copy:
        assert (copy.path / "saved_model.pb").read_text() == "one"
        assert served_versions.find_change(copy) == ""
    destinations.copy_model(destination, "1", tmp_path / "copy")
    assert (tmp_path / "copy" / "saved_model.pb").read_text() == "one"
    assert destinations.taken_back(destination) == {}
    with destinations.open_evidence(destination, "1") as folder:
        assert {path.name for path in folder.iterdir()} == {"gates.json", "pushed.json"}
    assert (destinations.local_champion(destination) / "saved_model.pb").read_text() == "two"
    assert destinations.read_push_record(destination, "9") is None


def test_a_champion_is_downloaded_once_and_checked(s3, saved_model, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    bucket_push.push(saved_model("one"), ADDRESS, ServedState("", 0))
    folder = destinations.local_champion(ADDRESS)
    assert tmp_path / "cache" in folder.parents
    s3.put_object(Bucket="models", Key="fruit/1/1/saved_model.pb", Body=b"two")
    assert destinations.local_champion(ADDRESS) == folder
    (folder / "saved_model.pb").unlink()
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "other"))
    with pytest.raises(ValueError, match=f"{ADDRESS}/1 is damaged: its files are not those"):
        destinations.local_champion(ADDRESS)
    assert list((tmp_path / "other" / "served").iterdir()) == []


def test_of_two_downloads_at_once_the_first_is_kept(s3, saved_model, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    bucket_push.push(saved_model("one"), ADDRESS, ServedState("", 0))
    copy, faster = destinations.copy_model, []

    def copy_late(*given):
        monkeypatch.setattr(destinations, "copy_model", copy)
        faster.append(destinations.local_champion(ADDRESS))
        copy(*given)

    monkeypatch.setattr(destinations, "copy_model", copy_late)
    assert [destinations.local_champion(ADDRESS)] == faster
    assert list((tmp_path / "cache" / "served").iterdir()) == faster


def test_two_models_of_one_number_are_kept_apart(s3, saved_model, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    for name in ("one", "two"):
        address = f"s3://models/{name}"
        bucket_push.push(saved_model(name), address, ServedState("", 0))
        assert (destinations.local_champion(address) / "saved_model.pb").read_text() == name


def test_an_object_whose_name_leads_out_of_its_folder_is_refused(s3, tmp_path):
    s3.put_object(Bucket="models", Key="fruit/1/1/../../../../out", Body=b"")
    with pytest.raises(OSError, match="its name leads out of there"):
        destinations.copy_model(ADDRESS, "1", tmp_path / "a" / "b")
    assert not (tmp_path / "out").exists()


def test_what_is_proved_of_a_bucket_leaves_nothing_there(s3):
    destinations.check_writable(ADDRESS)
    assert s3_keys(s3) == []
    for check in (destinations.check_readable, destinations.check_writable):
        with pytest.raises(OSError, match=r"^push\.destination: s3://absent/x: there is no such"):
            check("s3://absent/x")


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_notes_are_listed_by_name(kind, request, tmp_path):
    destination = tmp_path / "serving"
    if kind == "bucket":
        request.getfixturevalue("s3")
        destination = ADDRESS
    assert destinations.noted(destination, "verdicts/a") == []
    for name in ("verdicts/a/1.json", "verdicts/a/2.json", "verdicts/b/3.json"):
        destinations.note(destination, name, "{}")
    if kind == "folder":  # a note that is being written
        (destination / "evidence" / "verdicts" / "a" / ".4.json.0123").touch()
    assert sorted(destinations.noted(destination, "verdicts/a")) == ["1.json", "2.json"]


def test_objects_that_stand_for_folders_are_no_files(s3, saved_model, tmp_path):
    bucket_push.push(saved_model("one"), ADDRESS, ServedState("", 0))
    s3.put_object(Bucket="models", Key="fruit/1/1/variables/", Body=b"")
    s3.put_object(Bucket="models", Key="fruit/1/1/assets/of/words.txt", Body=b"words")
    destinations.copy_model(ADDRESS, "1", tmp_path / "copy")
    assert (tmp_path / "copy" / "saved_model.pb").read_text() == "one"
    assert (tmp_path / "copy" / "assets" / "of" / "words.txt").read_text() == "words"


def test_only_commands_on_a_folder_refuse_a_bucket():
    destinations.refuse_bucket("serving", "graft serve", "use KServe")
    says = r"^push\.destination: graft serve wants a folder, not s3://models/fruit: use KServe$"
    with pytest.raises(UserError, match=says):
        destinations.refuse_bucket(ADDRESS, "graft serve", "use KServe")


def test_a_download_that_cannot_get_its_place_is_told(s3, saved_model, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    bucket_push.push(saved_model("one"), ADDRESS, ServedState("", 0))
    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        destinations.local_champion(ADDRESS)
    assert list((tmp_path / "cache" / "served").iterdir()) == []


def test_a_folder_that_was_changed_by_hand_is_known_by_what_it_holds_now(saved_model, tmp_path):
    folder = push(saved_model("one"), tmp_path, ServedState("", 0))
    pushed = destinations.served_digest(tmp_path)
    (folder / "saved_model.pb").write_text("two")
    changed = destinations.served_digest(tmp_path)
    assert changed == ("1", served_versions.content_digest(folder)) != pushed


def test_a_store_that_can_only_be_read_is_told(s3, monkeypatch):
    def refuse(*_, **__):
        raise StoreError(f"{ADDRESS}: the store does not allow this")

    monkeypatch.setattr(ObjectStore, "write", refuse)
    destinations.check_readable(ADDRESS)
    with pytest.raises(StoreError, match=rf"^push\.destination: {ADDRESS}: .* not allow this$"):
        destinations.check_writable(ADDRESS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_rollback_goes_to_the_newest_version_that_holds_another_model(
    kind, request, saved_model, tmp_path
):
    destination = tmp_path / "serving"
    if kind == "bucket":
        request.getfixturevalue("s3")
        destination = ADDRESS
    destinations.check_writable(destination)
    push_to = bucket_push.push if kind == "bucket" else push
    models = {name: saved_model(name) for name in ("one", "two")}
    before = []
    for name in ("one", "one", "two", "one", "one"):
        push_to(models[name], destination, destinations.served_state(destination))
        found = destinations.version_before(destination)
        before.append(found and found.name)
    assert before == [None, None, "2", "3", "3"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_rollback_goes_past_what_an_earlier_one_took_back(kind, request, saved_model, tmp_path):
    destination, pusher = tmp_path / "serving", push_to_folder
    if kind == "bucket":
        request.getfixturevalue("s3")
        destination, pusher = ADDRESS, bucket_push
    destinations.check_writable(destination)
    for name in ("one", "two", "three"):
        pusher.push(saved_model(name), destination, destinations.served_state(destination))
    assert destinations.version_before(destination).name == "2"
    pusher.republish(destination, "2", "it was better")
    three = served_versions.content_digest(tmp_path / "models" / "three")
    assert destinations.taken_back(destination) == {three: "4"}
    assert destinations.version_before(destination).name == "1"


def test_of_a_store_only_those_files_are_downloaded_that_are_asked_for(s3, saved_model, tmp_path):
    bucket_push.push(saved_model("one"), ADDRESS, ServedState("", 0))
    (version,) = destinations.list_versions(ADDRESS)
    with destinations.open_version(ADDRESS, version, ["saved_model.pb"]) as copy:
        assert [path.name for path in copy.path.iterdir()] == ["saved_model.pb"]
    with destinations.open_evidence(ADDRESS, "1", ["gates.json"]) as folder:
        assert list(folder.iterdir()) == []
    with destinations.open_evidence(ADDRESS, "1", ["pushed.json"]) as folder:
        assert [path.name for path in folder.iterdir()] == ["pushed.json"]
