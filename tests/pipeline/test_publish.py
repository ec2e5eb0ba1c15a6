"""`graft publish`, against a real server of S3's protocol on loopback."""

import json
from pathlib import Path

import pytest

from components import served_versions
from components.bucket import Bucket, StaleError
from components.errors import UserError
from components.pusher.push import push
from components.served_versions import ServedState
from pipeline.commands.publish import publish_version
from tests.fixtures.object_store import s3_keys

ADDRESS = "s3://models/team/fruit"


@pytest.fixture
def served(saved_model, tmp_path) -> Path:
    """A folder that serves version 4."""
    folder = tmp_path / "serving"
    folder.mkdir()
    saved_model("one").rename(folder / "4")
    return folder


def test_a_served_version_becomes_current(s3, served, capsys):
    settings = [f"push.destination={served}"]
    publish_version(ADDRESS, "digits", settings)
    assert capsys.readouterr().out == (
        f"Version 4 of {served}: published as version 1\nFor KServe: storageUri: {ADDRESS}/1\n"
    )
    publish_version(ADDRESS, "digits", settings)
    assert "current already as version 1" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"has no version 9 \(there are: 4\)"):
        publish_version(ADDRESS, "digits", settings, version="9")
    said = s3.get_object(Bucket="models", Key="team/fruit/current.json")["Body"].read()
    assert json.loads(said)["version"] == 1


def test_what_lies_in_a_store_is_published_already():
    with pytest.raises(ValueError, match="graft publish wants a folder, not s3://models/other"):
        publish_version(ADDRESS, "digits", ["push.destination=s3://models/other"])


def test_the_version_that_is_named_goes_with_its_own_evidence(s3, saved_model, tmp_path, capsys):
    served = tmp_path / "serving"
    for version in ("4", "5"):
        evidence = served / "evidence" / version
        evidence.mkdir(parents=True)
        (evidence / "gates.json").write_text(f"[] {version}")
        saved_model(version).rename(served / version)
    publish_version(f"{ADDRESS}/", "digits", [f"push.destination={served}"], version="4")
    assert capsys.readouterr().out == (
        f"Version 4 of {served}: published as version 1\nFor KServe: storageUri: {ADDRESS}/1\n"
    )
    key = "team/fruit/evidence/1/gates.json"
    assert s3.get_object(Bucket="models", Key=key)["Body"].read() == b"[] 4"
    publish_version(ADDRESS, "digits", [f"push.destination={served}"])
    assert f"Version 5 of {served}: published as version 2\n" in capsys.readouterr().out


def test_a_damaged_version_is_not_published(s3, saved_model, tmp_path):
    served = tmp_path / "serving"
    served.mkdir()
    push(saved_model("one"), served, ServedState("", 0))
    (served / "1" / "saved_model.pb").write_bytes(b"two")
    with pytest.raises(UserError, match=r"/1 is damaged: saved_model\.pb is not what was pushed"):
        publish_version(ADDRESS, "digits", [f"push.destination={served}"])
    assert s3_keys(s3) == []


def test_what_became_current_meanwhile_is_not_replaced(
    s3, served, saved_model, tmp_path, monkeypatch
):
    settings = [f"push.destination={served}"]
    publish_version(ADDRESS, "digits", settings)
    saved_model("two").rename(served / "5")
    content_digest, others = served_versions.content_digest, [saved_model("of another")]

    def meanwhile(folder):
        if others:
            Bucket(ADDRESS).publish(others.pop(), tmp_path / "none", Bucket(ADDRESS).current())
        return content_digest(folder)

    monkeypatch.setattr("pipeline.commands.publish.served_versions.content_digest", meanwhile)
    with pytest.raises(StaleError):
        publish_version(ADDRESS, "digits", settings)
    assert Bucket(ADDRESS).current().version == 2
