"""`graft publish`, against a real server of S3's protocol on loopback."""

import json
import types
from pathlib import Path

import pytest

from components import served_versions
from pipeline.bucket import Bucket, Current, StaleError, StoreError
from pipeline.commands.publish import publish_version

boto3 = pytest.importorskip("boto3", reason="skipped: the extra `aws` is not installed")

ADDRESS = "s3://models/team/fruit"


@pytest.fixture(scope="module")
def address(serve_s3):
    with pytest.MonkeyPatch.context() as patch:
        serve_s3(patch)
        yield


@pytest.fixture
def store(address, monkeypatch):
    """An empty bucket `models`, as boto3's client."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    client = boto3.client("s3")
    client.create_bucket(Bucket="models")
    yield client
    for key in keys(client):
        client.delete_object(Bucket="models", Key=key)
    client.delete_bucket(Bucket="models")


def keys(client) -> list[str]:
    found = client.list_objects_v2(Bucket="models").get("Contents", ())
    return sorted(item["Key"] for item in found)


@pytest.fixture
def model(tmp_path):
    """`model(content)` is the folder of a SavedModel with that in it."""

    def model(content: str) -> Path:
        folder = tmp_path / content
        (folder / "variables").mkdir(parents=True)
        (folder / served_versions.SAVED_MODEL_FILE).write_text(content)
        (folder / "variables" / "variables.index").write_text("1")
        return folder

    return model


def test_a_version_lies_where_kserve_finds_it_and_is_current(store, model, tmp_path):
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    (evidence / "pushed.json").write_text("{}")
    bucket = Bucket(f"{ADDRESS}/")
    assert bucket.current() is None
    now = bucket.publish(model("one"), evidence, None)
    assert keys(store) == [
        "team/fruit/1/1/saved_model.pb",
        "team/fruit/1/1/variables/variables.index",
        "team/fruit/current.json",
        "team/fruit/evidence/1/claimed",
        "team/fruit/evidence/1/pushed.json",
    ]
    assert bucket.current() == now == Current(1, now.digest, now.etag)
    assert now.digest == served_versions.content_digest(tmp_path / "one")
    assert bucket.publish(model("two"), evidence, now).version == 2
    assert bucket.current().version == 2


@pytest.mark.parametrize("first", [True, False])
def test_of_two_publications_only_one_becomes_current(store, model, tmp_path, first):
    """Both were decided on before either: the later one is told, and leaves no model behind."""
    one, two = Bucket(ADDRESS), Bucket(ADDRESS)
    compared = None if first else one.publish(model("zero"), tmp_path / "none", None)
    now = one.publish(model("one"), tmp_path / "none", compared)
    with pytest.raises(StaleError, match="has another current version than before"):
        two.publish(model("two"), tmp_path / "none", compared)
    assert one.current() == now
    lost = now.version + 1
    assert not [key for key in keys(store) if key.startswith(f"team/fruit/{lost}/")]


def test_two_publications_never_upload_to_one_number(store, model, tmp_path):
    bucket = Bucket(ADDRESS)
    store.put_object(Bucket="models", Key="team/fruit/evidence/1/claimed", Body=b"")
    assert bucket.publish(model("one"), tmp_path / "none", None).version == 2


def test_a_store_that_goes_away_in_the_middle_leaves_what_is_current(
    serve_s3, model, tmp_path, monkeypatch
):
    server = serve_s3(monkeypatch)
    client = boto3.client("s3")
    client.create_bucket(Bucket="models")
    bucket, uploaded = Bucket(ADDRESS), []
    now = bucket.publish(model("one"), tmp_path / "none", None)

    def upload_one(file, name):
        if uploaded:
            server.stop()
        uploaded.append(name)
        Bucket._upload(bucket, file, name)

    monkeypatch.setattr(bucket, "_upload", upload_one)
    with pytest.raises(StoreError, match=f"^{ADDRESS}: Could not connect|Connection was closed"):
        bucket.publish(model("two"), tmp_path / "none", now)
    assert len(uploaded) == 2
    serve_s3(monkeypatch)
    assert Bucket(ADDRESS).current() == now
    assert Bucket(ADDRESS).publish(tmp_path / "two", tmp_path / "none", now).version == 3


def refusing(code):
    """A client whose every answer is that error."""
    from botocore.exceptions import ClientError

    def refuse(**_):
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")

    return types.SimpleNamespace(get_object=refuse)


def test_what_a_store_refuses_is_one_line(store):
    with pytest.raises(StoreError, match="s3://absent/fruit: there is no such bucket: make it"):
        Bucket("s3://absent/fruit").current()
    with pytest.raises(StoreError, match="does not allow this: look at the rights of the key"):
        Bucket(ADDRESS, refusing("AccessDenied")).current()


def test_without_a_key_nothing_is_sent(store, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(StoreError, match="Unable to locate credentials"):
        Bucket(ADDRESS).current()


@pytest.mark.parametrize("text", ["", "{}", '{"version": "new", "digest": ""}'])
def test_a_damaged_current_file_is_told(store, text):
    store.put_object(Bucket="models", Key="team/fruit/current.json", Body=text.encode())
    with pytest.raises(ValueError, match=r"current\.json is damaged or not Graft's"):
        Bucket(ADDRESS).current()


@pytest.mark.parametrize("address", ["models/fruit", "s3://models", "s3:///fruit", "gs://b/fruit"])
def test_an_address_that_is_none(address):
    with pytest.raises(ValueError, match="write s3://BUCKET/FOLDER"):
        Bucket(address)


def test_the_command(store, model, tmp_path, capsys):
    served = tmp_path / "serving"
    served.mkdir()
    model("one").rename(served / "4")
    settings = [f"push.destination={served}"]
    publish_version(ADDRESS, "digits", settings)
    assert capsys.readouterr().out == (
        f"Version 4 of {served}: published as version 1\nFor KServe: storageUri: {ADDRESS}/1\n"
    )
    publish_version(ADDRESS, "digits", settings)
    assert "current already as version 1" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"has no version 9 \(there are: 4\)"):
        publish_version(ADDRESS, "digits", settings, version="9")
    said = store.get_object(Bucket="models", Key="team/fruit/current.json")["Body"].read()
    assert json.loads(said)["version"] == 1
