"""`graft publish`, against a real server of S3's protocol on loopback."""

import sys
import types

import pytest

from components import destinations, served_versions
from components.bucket import Bucket, Current, StaleError
from components.errors import UserError
from components.object_store import ConflictError, ObjectStore, StoreError
from tests.fixtures.object_store import s3_keys

boto3 = pytest.importorskip("boto3", reason="skipped: the extra `aws` is not installed")

ADDRESS = "s3://models/team/fruit"


def test_a_version_lies_where_kserve_finds_it_and_is_current(s3, saved_model, tmp_path):
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    (evidence / "pushed.json").write_text("{}")
    bucket = Bucket(f"{ADDRESS}/")
    assert bucket.current() is None
    now = bucket.publish(saved_model("one"), evidence, None)
    assert s3_keys(s3) == [
        "team/fruit/1/1/saved_model.pb",
        "team/fruit/1/1/variables/variables.index",
        "team/fruit/current.json",
        "team/fruit/evidence/1/claimed",
        "team/fruit/evidence/1/pushed.json",
    ]
    assert bucket.current() == now == Current(1, now.digest, now.etag, (1,))
    assert now.digest == served_versions.content_digest(tmp_path / "models" / "one")
    assert bucket.publish(saved_model("two"), evidence, now).version == 2
    assert bucket.current().version == 2


@pytest.mark.parametrize("first", [True, False])
def test_of_two_publications_only_one_becomes_current(s3, saved_model, tmp_path, first):
    """Both were decided on before either: the later one is told, and leaves no model behind."""
    one, two = Bucket(ADDRESS), Bucket(ADDRESS)
    compared = None if first else one.publish(saved_model("zero"), tmp_path / "none", None)
    now = one.publish(saved_model("one"), tmp_path / "none", compared)
    with pytest.raises(StaleError, match="has another current version than before"):
        two.publish(saved_model("two"), tmp_path / "none", compared)
    assert one.current() == now
    lost = now.version + 1
    assert not [key for key in s3_keys(s3) if key.startswith(f"team/fruit/{lost}/")]


def test_two_publications_never_upload_to_one_number(s3, saved_model, tmp_path):
    bucket = Bucket(ADDRESS)
    s3.put_object(Bucket="models", Key="team/fruit/evidence/1/claimed", Body=b"")
    assert bucket.publish(saved_model("one"), tmp_path / "none", None).version == 2


def test_a_hundred_numbers_of_pushes_that_did_not_end_are_told(saved_model, tmp_path):
    bucket = Bucket(ADDRESS, refusing("PreconditionFailed"))
    with pytest.raises(StoreError, match="1 to 100 are taken, by pushes that did not end"):
        bucket.publish(saved_model("one"), tmp_path / "none", None)


def test_a_store_that_goes_away_in_the_middle_leaves_what_is_current(
    s3, serve_s3, saved_model, tmp_path, monkeypatch
):
    server = serve_s3(monkeypatch)
    bucket = Bucket(ADDRESS)
    now = bucket.publish(saved_model("one"), tmp_path / "none", None)

    upload = bucket.store.upload

    def upload_and_stop(folder, name):
        upload(folder, name)
        server.stop()

    monkeypatch.setattr(bucket.store, "upload", upload_and_stop)
    with pytest.raises(StoreError, match=f"^{ADDRESS}: Could not connect|Connection was closed"):
        bucket.publish(saved_model("two"), tmp_path / "none", now)
    serve_s3(monkeypatch)
    assert Bucket(ADDRESS).current() == now
    assert Bucket(ADDRESS).publish(tmp_path / "models" / "two", tmp_path / "none", now).version == 3


def test_nothing_is_asked_for_that_stores_other_than_amazons_do_not_know(s3, tmp_path):
    """The newer checksums: without a word boto3 sends and wants one with every object."""
    store, sent = ObjectStore(ADDRESS), []
    events = store._client.meta.events

    def note(request, **_):
        sent.append((request.method, [name.lower() for name in request.headers]))

    (tmp_path / "file").write_bytes(b"x")
    events.register("before-send.s3", note)
    try:
        store.write("one", b"x")
        store.upload(tmp_path, "folder")
        store.read("one")
        store.download("folder", tmp_path / "copy")
    finally:
        events.unregister("before-send.s3", note)
    assert {method for method, _ in sent} >= {"PUT", "GET"}
    names = {name for _, of_one in sent for name in of_one}
    assert not [name for name in names if "checksum" in name or "trailer" in name]


def refusing(code):
    """A client whose every answer is that error."""
    from botocore.exceptions import ClientError

    def refuse(**_):
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")

    return types.SimpleNamespace(get_object=refuse, put_object=refuse)


def test_what_a_store_refuses_is_one_line(s3, saved_model):
    with pytest.raises(StoreError, match="s3://absent/fruit: there is no such bucket: make it"):
        Bucket("s3://absent/fruit").current()
    with pytest.raises(StoreError, match="does not allow this: look at the rights of the key"):
        Bucket(ADDRESS, refusing("AccessDenied")).current()
    with pytest.raises(StoreError, match=r"^s3://absent/fruit: there is no such bucket: make it"):
        ObjectStore("s3://absent/fruit").upload(saved_model("one"), "1")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("403", "look at the rights of the key"),
        ("InvalidAccessKeyId", r"\(AWS_ACCESS_KEY_ID\)$"),
        ("SignatureDoesNotMatch", r"\(AWS_SECRET_ACCESS_KEY\)$"),
        ("SlowDown", r"\(SlowDown\) .*: no$"),
    ],
)
def test_what_else_a_store_refuses(code, says):
    with pytest.raises(StoreError, match=rf"^{ADDRESS}: .*{says}"):
        ObjectStore(ADDRESS, refusing(code)).write("one", b"")


@pytest.mark.parametrize("missing", ["NoSuchKey", "404"])
def test_an_object_that_is_missing_is_none(missing):
    assert ObjectStore(ADDRESS, refusing(missing)).read("one") is None


@pytest.mark.parametrize("missing", ["NoSuchKey", "404"])
def test_a_store_that_tells_of_missing_objects_is_rid_of_a_whole_folder(s3, monkeypatch, missing):
    """Amazon's says nothing, Google's answers 404: a folder is no object of its own."""
    from botocore.exceptions import ClientError

    for name in ("3/3/a", "3/3/b/c", "30/30/a"):
        s3.put_object(Bucket="models", Key=f"team/fruit/{name}", Body=b"")
    delete = s3.delete_object

    def strict(**asked):
        if asked["Key"] not in s3_keys(s3):
            raise ClientError({"Error": {"Code": missing, "Message": "no"}}, "DeleteObject")
        return delete(**asked)

    monkeypatch.setattr(s3, "delete_object", strict)
    ObjectStore(ADDRESS, s3).remove("3")
    assert s3_keys(s3) == ["team/fruit/30/30/a"]


def test_a_folder_is_removed_as_far_as_the_store_answers(s3, monkeypatch):
    s3.put_object(Bucket="models", Key="team/fruit/3/3/a", Body=b"")
    ObjectStore("s3://absent/fruit").remove("3")
    monkeypatch.setattr(s3, "delete_object", refusing("AccessDenied").get_object)
    ObjectStore(ADDRESS, s3).remove("3")
    assert s3_keys(s3) == ["team/fruit/3/3/a"]


@pytest.fixture
def breaking_off(monkeypatch):
    """The connection breaks off while an object is read."""

    def break_off(body, **_):
        body.close()
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr("botocore.response.StreamingBody.read", break_off)


def test_a_download_that_breaks_off_is_one_line(s3, breaking_off, tmp_path):
    s3.put_object(Bucket="models", Key="team/fruit/3/3/a", Body=b"abc")
    with pytest.raises(StoreError, match=rf"^{ADDRESS}: .*Connection reset by peer$"):
        ObjectStore(ADDRESS, s3).download("3", tmp_path)


def test_a_read_that_breaks_off_is_one_line(s3, breaking_off):
    s3.put_object(Bucket="models", Key="team/fruit/current.json", Body=b"{}")
    with pytest.raises(StoreError, match=rf"^{ADDRESS}: .*Connection reset by peer$"):
        ObjectStore(ADDRESS, s3).read("current.json")


def test_without_the_library_it_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setenv("AWS_PROFILE", "of this test")  # or the client of an earlier one is taken
    with pytest.raises(UserError, match=r"Graft's extra aws \(pip install boto3\)"):
        ObjectStore(ADDRESS)


def test_an_object_that_is_changed_while_it_is_downloaded_is_one_line(s3, monkeypatch, tmp_path):
    size = 9_000_000  # which is downloaded in parts
    s3.put_object(Bucket="models", Key="team/fruit/3/3/a", Body=bytes(size))
    stale = {"ContentLength": size, "ETag": '"of what was there"'}
    monkeypatch.setattr(s3, "head_object", lambda **_: stale)
    with pytest.raises(StoreError, match=rf'^{ADDRESS}: .*"team/fruit/3/3/a" .* expected ETag'):
        ObjectStore(ADDRESS, s3).download("3", tmp_path)


def test_an_object_that_goes_while_it_is_downloaded_is_named(s3, monkeypatch, tmp_path):
    monkeypatch.setattr(ObjectStore, "sizes", lambda *_: {"3/a": 3})
    with pytest.raises(StoreError, match=rf"^{ADDRESS}/3/3/a was removed while"):
        ObjectStore(ADDRESS, s3).download("3", tmp_path)


def test_without_a_key_nothing_is_sent(s3, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(StoreError, match="Unable to locate credentials"):
        Bucket(ADDRESS).current()


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"version": "new", "digest": ""}',
     '{"version": 1, "digest": "", "served": 1}'],
)  # fmt: skip
def test_a_damaged_current_file_is_told(s3, text):
    s3.put_object(Bucket="models", Key="team/fruit/current.json", Body=text.encode())
    with pytest.raises(ValueError, match=r"current\.json is damaged or not Graft's"):
        Bucket(ADDRESS).current()


@pytest.mark.parametrize("address", ["models/fruit", "s3://models", "s3:///fruit", "gs://b/fruit"])
def test_an_address_that_is_none(address):
    with pytest.raises(ValueError, match="write s3://BUCKET/FOLDER"):
        Bucket(address)


def test_a_connection_that_is_lost_once_is_made_again(s3, saved_model, tmp_path, break_s3):
    broken = break_s3("variables", 1)
    assert Bucket(ADDRESS).publish(saved_model("one"), tmp_path / "none", None).version == 1
    assert len(broken) == 1
    assert "team/fruit/1/1/variables/variables.index" in s3_keys(s3)


def test_a_connection_that_is_lost_for_good_leaves_no_part_of_a_version(
    s3, saved_model, tmp_path, break_s3
):
    broken = break_s3("variables", 3)
    with pytest.raises(StoreError, match=r"^s3://models/team/fruit: Connection was closed"):
        Bucket(ADDRESS).publish(saved_model("one"), tmp_path / "none", None)
    assert len(broken) == 3
    assert s3_keys(s3) == ["team/fruit/evidence/1/claimed"]


def test_a_publication_that_its_user_ends_leaves_no_part_of_a_version(
    s3, saved_model, tmp_path, monkeypatch
):
    bucket = Bucket(ADDRESS)
    upload = bucket.store.upload

    def upload_and_end(folder, name):
        upload(folder, name)
        raise KeyboardInterrupt

    monkeypatch.setattr(bucket.store, "upload", upload_and_end)
    with pytest.raises(KeyboardInterrupt):
        bucket.publish(saved_model("one"), tmp_path / "none", None)
    assert s3_keys(s3) == ["team/fruit/evidence/1/claimed"]


def test_a_commit_whose_answer_is_lost_is_no_conflict_with_itself(
    s3, saved_model, tmp_path, break_s3
):
    """The client asks again, and its own first write is why the condition no longer holds."""
    for number, name in enumerate(("one", "two"), start=1):
        broken = break_s3("current.json", 1, answered=True)
        compared = Bucket(ADDRESS).current()
        now = Bucket(ADDRESS).publish(saved_model(name), tmp_path / "none", compared)
        assert (len(broken), now.version) == (1, number)
        assert now == Bucket(ADDRESS).current()
    assert now.served == (1, 2)


def test_a_first_version_whose_commit_never_arrives_is_not_served(
    s3, saved_model, tmp_path, break_s3
):
    break_s3("current.json", 3)
    with pytest.raises(StoreError, match=f"^{ADDRESS}: Connection was closed"):
        Bucket(ADDRESS).publish(saved_model("one"), tmp_path / "none", None)
    assert Bucket(ADDRESS).current() is None


def test_a_version_whose_commit_is_not_known_stays(s3, saved_model, tmp_path, break_s3):
    """It may be what is served: removed, nothing would be."""
    break_s3("current.json", 3, answered=True)
    bucket = Bucket(ADDRESS)
    current = bucket.current
    calls = []

    def once():
        calls.append(1)
        if len(calls) > 1:
            raise StoreError("gone")
        return current()

    bucket.current = once
    with pytest.raises(StoreError, match="gone"):
        bucket.publish(saved_model("one"), tmp_path / "none", bucket.current())
    assert Bucket(ADDRESS).current().version == 1
    assert "team/fruit/1/1/saved_model.pb" in s3_keys(s3)


def test_what_an_earlier_release_published_can_be_read(s3, tmp_path):
    content = b'{"version": 4, "digest": "abc"}'
    s3.put_object(Bucket="models", Key="team/fruit/current.json", Body=content)
    assert Bucket(ADDRESS).current().served == (4,)
    (version,) = Bucket(ADDRESS).versions()
    assert (version.name, version.path, version.size_bytes) == ("4", f"{ADDRESS}/4", 0)
    Bucket(ADDRESS).download_evidence("4", tmp_path / "evidence")
    assert list((tmp_path / "evidence").iterdir()) == [], "it had none"


def test_a_damaged_record_of_a_push_is_named(s3):
    for name, content in {
        "current.json": b'{"version": 4, "digest": "abc"}',
        "evidence/4/pushed.json": b"{}",
    }.items():
        s3.put_object(Bucket="models", Key=f"team/fruit/{name}", Body=content)
    says = f"^{ADDRESS}/evidence/4/pushed.json is damaged: remove it, and version 4 is known by"
    with pytest.raises(UserError, match=says):
        Bucket(ADDRESS).champion()


@pytest.mark.parametrize("code", ["PreconditionFailed", "ConditionalRequestConflict", "412", "409"])
def test_every_name_of_a_conflict_is_one(code):
    store = ObjectStore(ADDRESS, refusing(code))
    with pytest.raises(ConflictError):
        store.write("current.json", b"", if_absent=True)


def test_versions_are_in_the_order_of_their_numbers_and_the_current_one_need_not_be_the_last(s3):
    """As where somebody wrote the file anew, to serve an older one."""
    current = b'{"version": 9, "digest": "abc", "served": [8, 9, 10]}'
    s3.put_object(Bucket="models", Key="team/fruit/current.json", Body=current)
    for number in (9, 10):
        name = f"team/fruit/{number}/{number}/saved_model.pb"
        s3.put_object(Bucket="models", Key=name, Body=b"model")
    bucket = Bucket(ADDRESS)
    nine, ten = bucket.versions()
    assert (nine.name, nine.is_champion, ten.name, ten.is_champion) == ("9", True, "10", False)
    assert nine.size_bytes == ten.size_bytes == 5, "no record tells it, so that the store is asked"
    assert bucket.champion() == nine
    assert destinations.list_versions(ADDRESS) == [nine, ten]
    assert destinations.served_digest(ADDRESS) == ("9", "abc")
