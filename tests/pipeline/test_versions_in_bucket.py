"""`graft versions`, `verify` and whoever else looks at served versions, in an object store."""

import json

import pytest

from components import destinations
from components.gates import Gate, write_gates
from components.object_store import ObjectStore
from components.pusher import bucket_push
from pipeline import preflight
from pipeline.commands import publish, register, reproduce, versions
from pipeline.config import load_recipe
from pipeline.registration import facts_of
from tests.fixtures.object_store import s3_keys

ADDRESS = "s3://models/fruit"
SETTINGS = [f"push.destination={ADDRESS}/"]


@pytest.fixture
def served(s3, saved_model, tmp_path):
    """Two versions."""
    for name in ("one", "two"):
        evidence = tmp_path / "evidence"
        evidence.mkdir(exist_ok=True)
        write_gates(evidence, [Gate("accuracy", "pass", 0.9, 0.8, name)])
        model = saved_model(name)
        (model / "assets.extra").mkdir()
        (model / "assets.extra" / "classes.txt").write_text("cat\ndog\n")
        bucket_push.push(model, ADDRESS, destinations.served_state(ADDRESS), [evidence])
    return s3


def test_they_are_listed_shown_and_compared(served, capsys):
    versions.list_versions("digits", SETTINGS, as_json=True)
    rows = json.loads(capsys.readouterr().out)
    assert [(row["version"], row["served"], row["path"]) for row in rows] == [
        ("2", True, f"{ADDRESS}/2"),
        ("1", False, f"{ADDRESS}/1"),
    ]
    versions.list_versions("digits", SETTINGS, as_json=False)
    assert "served" in capsys.readouterr().out
    versions.show_version("digits", SETTINGS, None, as_json=True)
    assert json.loads(capsys.readouterr().out)["gates"]["accuracy"]["message"] == "two"
    versions.diff_versions("digits", SETTINGS, "1", "2", as_json=True)
    changed = json.loads(capsys.readouterr().out)
    assert changed["gates.accuracy.message"] == ["one", "two"]


def test_one_goes_back_in_one_command(served, capsys):
    versions.roll_back("digits", SETTINGS, None, "cats became dogs")
    assert "Version 3 is served: it is version 1 again, in place of 2" in capsys.readouterr().out
    versions.list_versions("digits", SETTINGS, as_json=False)
    assert "served, 1 again" in capsys.readouterr().out
    assert destinations.champion(ADDRESS).record.reason == "cats became dogs"


def test_a_version_that_was_removed_is_none_to_go_back_to(served, capsys):
    for key in s3_keys(served):
        if key.startswith("fruit/1/"):
            served.delete_object(Bucket="models", Key=key)
    assert [version.name for version in destinations.list_versions(ADDRESS)] == ["2"]
    with pytest.raises(ValueError, match=f"{ADDRESS} has no version before 2 to go back to"):
        versions.roll_back("digits", SETTINGS, None, "")
    with pytest.raises(ValueError, match=r"has no version 1 \(there are: 2\)"):
        versions.roll_back("digits", SETTINGS, "1", "")


def test_verify_reads_every_byte(served, capsys):
    versions.verify("digits", SETTINGS, None, None)
    assert f"{ADDRESS}/2: all 4 files are those that were pushed" in capsys.readouterr().out
    served.put_object(Bucket="models", Key="fruit/evidence/2/gates.json", Body=b"[]")
    with pytest.raises(ValueError, match=f"{ADDRESS}/evidence/2/gates.json is not as it was when"):
        versions.verify("digits", SETTINGS, None, None)
    served.put_object(Bucket="models", Key="fruit/2/2/saved_model.pb", Body=b"owt")
    with pytest.raises(ValueError, match=f"{ADDRESS}/2: saved_model.pb is not what was pushed"):
        versions.verify("digits", SETTINGS, None, None)


def test_the_registry_is_told_its_address(served):
    recipe = load_recipe("digits", SETTINGS)
    facts = facts_of(ADDRESS, destinations.champion(ADDRESS))
    assert facts["classes"] == "cat, dog" and facts["value.accuracy"] == 0.9
    assert register.place_of(recipe, "2") == f"{ADDRESS}/2"


def test_of_a_model_and_its_evidence_only_what_is_read_is_downloaded(served, monkeypatch):
    client, asked = ObjectStore(ADDRESS)._client, []
    download = client.download_file

    def note(bucket, key, file):
        asked.append(key)
        download(bucket, key, file)

    monkeypatch.setattr(client, "download_file", note)
    facts_of(ADDRESS, destinations.champion(ADDRESS))
    assert asked == ["fruit/2/2/assets.extra/classes.txt", "fruit/evidence/2/gates.json"]


@pytest.mark.parametrize(
    ("call", "command"),
    [
        (lambda: versions.prune_versions("digits", SETTINGS, 1), "graft versions prune"),
        (lambda: publish.publish_version("s3://a/b", "digits", SETTINGS), "graft publish"),
        (lambda: reproduce.reproduce("digits", SETTINGS, "1", False, False), "graft reproduce"),
    ],
)
def test_what_works_on_a_folder_alone_says_so(call, command):
    with pytest.raises(ValueError, match=f"{command} wants a folder, not {ADDRESS}: "):
        call()


def test_a_bucket_that_is_missing_is_found_before_a_run(s3, tmp_path):
    absent = ["push.destination=s3://absent/fruit", f"workspace={tmp_path}"]
    with pytest.raises(OSError, match=r"^push.destination: s3://absent/fruit: there is no such"):
        preflight.inspect(load_recipe("digits", absent), preflight.Scope.MACHINE, tmp_path)
