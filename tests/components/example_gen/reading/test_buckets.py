"""Sources in an object store, against a real server on loopback."""

import errno
import gzip
import hashlib
import io
import os
import shutil
import zipfile
from types import SimpleNamespace

import pytest

from components.errors import UserError
from components.example_gen.config import DataSettings
from components.example_gen.inspection.pictures import BadPictureError
from components.example_gen.reading import buckets, readers, remote, sources

PICTURES = {
    f"pets/{split}/{label}/{number}.png": f"{split} {label} {number}".encode()
    for split in ("train", "test")
    for label in ("cats", "dogs")
    for number in range(3)
}


def _zip(files) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


MANIFEST = (
    'path,label,site\r\ntrain/cats/0.png,a,"x\r\nx"\r\ntrain/dogs/1.png,b,y\r\n'
    "train/dogs/gone.png,b,z\r\n"
)
OBJECTS = {
    **PICTURES,
    "pets/notes.txt": b"no picture",
    "pets/.hidden/9.png": b"",
    "pets/labels.csv": b"\xef\xbb\xbf" + MANIFEST.encode(),
    "pets.zip": _zip(PICTURES),
}


@pytest.fixture(scope="module")
def bucket(serve_s3):
    """`s3://pictures` on a server of our own, whose address and credentials AWS' clients know."""
    import boto3

    with pytest.MonkeyPatch.context() as patch:
        serve_s3(patch)
        client = boto3.client("s3")
        client.create_bucket(Bucket="pictures")
        for key, data in OBJECTS.items():
            client.put_object(Bucket="pictures", Key=key, Body=data)
        yield "s3://pictures"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def read_all(source) -> dict[str, bytes]:
    with readers.open_reader(source.kind, source.root) as read:
        return {item.path: read(item) for item in source.items if item.mtime_ns}


def test_a_folder_per_class(bucket, tmp_path):
    source = sources.open_source(f"{bucket}/pets/", tmp_path)
    assert source.classes == ("cats", "dogs")
    assert source.splits == {"train", "test"} and source.ignored == 2
    assert {item.path: item.size for item in source.items} == {
        path.removeprefix("pets/"): len(data) for path, data in PICTURES.items()
    }
    assert all(item.mtime_ns > 10**18 for item in source.items), "nanoseconds since 1970"
    assert read_all(source) == {path.removeprefix("pets/"): data for path, data in PICTURES.items()}
    assert sources.fingerprint(source) == sources.fingerprint(
        sources.open_source(source.location, tmp_path)
    )


def test_a_folder_on_top_is_passed_over(bucket, tmp_path):
    source = sources.open_source(bucket, tmp_path)
    assert source.root == f"{bucket}/pets"
    assert len(read_all(source)) == len(PICTURES)


def test_a_manifest_and_the_pictures_that_it_names(bucket, tmp_path):
    source = sources.open_source(f"{bucket}/pets/labels.csv", tmp_path)
    assert source.columns == ("site",)
    assert [(item.path, item.label, item.columns) for item in source.items] == [
        ("train/cats/0.png", "a", ("x\r\nx",)),
        ("train/dogs/1.png", "b", ("y",)),
        ("train/dogs/gone.png", "b", ("z",)),
    ]
    assert [item.path for item in source.missing] == ["train/dogs/gone.png"]
    assert read_all(source)["train/dogs/1.png"] == b"train dogs 1"
    with (
        readers.open_reader(source.kind, source.root) as read,
        pytest.raises(BadPictureError, match="cannot be read: No such file or directory"),
    ):
        read(source.missing[0])


@pytest.mark.slow
def test_an_archive_is_copied_once_and_checked(bucket, tmp_path, cache, monkeypatch):
    digest = hashlib.sha256(OBJECTS["pets.zip"]).hexdigest()
    source = sources.open_source(f"{bucket}/pets.zip", tmp_path, DataSettings(sha256=digest))
    assert source.root.startswith(str(cache))
    assert len(read_all(source)) == len(PICTURES)
    for _ in range(2):
        with pytest.raises(UserError, match=f"^data.sha256 is {'0' * 64}, but .* has {digest}"):
            sources.open_source(f"{bucket}/pets.zip", tmp_path, DataSettings(sha256="0" * 64))
        assert not remote.kept_at(f"{bucket}/pets.zip", "0" * 64).exists()
    monkeypatch.setattr(buckets, "opener", None)  # a copy that is there is not asked for again
    sources.open_source(f"{bucket}/pets.zip", tmp_path, DataSettings(sha256=digest))


@pytest.fixture
def stored(monkeypatch) -> bytes:
    """What `s3://pictures/pets.zip` holds, without a server."""
    state = SimpleNamespace(has_credentials=lambda: True)
    monkeypatch.setitem(buckets._STORES, "s3", state)
    monkeypatch.setattr(buckets, "_matching", lambda *_: [("", 0, 10**18)])
    monkeypatch.setattr(buckets, "opener", lambda _: lambda _: io.BytesIO(b"pets"))
    return b"pets"


def test_another_archive_than_promised_never_has_its_name(stored, cache, monkeypatch):
    named = []
    monkeypatch.setattr(buckets.os, "utime", lambda path, ns: named.append(path))
    with pytest.raises(
        UserError, match=rf"^data\.sha256 is .*{hashlib.sha256(stored).hexdigest()}"
    ):
        buckets.fetch("s3://pictures/pets.zip", "0" * 64)
    assert not named and not list(cache.rglob("*pets.zip*"))
    path = buckets.fetch("s3://pictures/pets.zip", hashlib.sha256(stored).hexdigest())
    assert named == [path] and path.read_bytes() == stored


def test_an_archive_of_the_same_size_that_was_written_later_is_copied_anew(
    stored, cache, monkeypatch
):
    buckets.fetch("s3://pictures/pets.zip", None)
    monkeypatch.setattr(buckets, "_matching", lambda *_: [("", 0, 10**18 + 1)])
    monkeypatch.setattr(buckets, "opener", lambda _: lambda _: io.BytesIO(b"cats"))
    assert buckets.fetch("s3://pictures/pets.zip", None).read_bytes() == b"cats"


def test_a_copy_that_was_not_checked_is_not_taken_for_one_that_was(stored, cache):
    buckets.fetch("s3://pictures/pets.zip", None)
    with pytest.raises(UserError, match=r"^data\.sha256 is 0000"):
        buckets.fetch("s3://pictures/pets.zip", "0" * 64)


def test_what_a_killed_run_left_of_an_archive_goes(stored, cache, monkeypatch):
    path = buckets.fetch("s3://pictures/pets.zip", None)
    path.rename(path.with_name(f".{path.name}.0123"))
    assert buckets.fetch("s3://pictures/pets.zip", None) == path
    assert {file.name for file in path.parent.iterdir()} == {".lock", path.name}


def test_a_full_disk_is_no_fault_of_the_store(stored, cache, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(buckets, "atomic_file", full)
    with pytest.raises(OSError, match="No space left") as error:
        buckets.fetch("s3://pictures/pets.zip", None)
    assert error.value.errno == errno.ENOSPC


@pytest.mark.slow
def test_an_archive_that_was_replaced_is_copied_anew(bucket, tmp_path, cache):
    import boto3

    def put(*classes):
        content = _zip({f"{label}/1.png": label.encode() for label in classes})
        boto3.client("s3").put_object(Bucket="pictures", Key="changing.zip", Body=content)
        return sources.open_source(f"{bucket}/changing.zip", tmp_path)

    assert put("a", "b").classes == ("a", "b")
    source = put("a", "b", "c")
    assert source.classes == ("a", "b", "c")
    shutil.rmtree(cache)
    again = sources.open_source(f"{bucket}/changing.zip", tmp_path)
    assert sources.fingerprint(again) == sources.fingerprint(source), "its time is the object's"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("-not-there/pets", "holds no pictures"),
        ("/nowhere", "holds no pictures: expected one folder of pictures per class"),
        ("/pets/train/cats", r"3 picture\(s\) lie directly in s3://pictures/pets/train/cats"),
        ("/gone.zip", "does not exist"),
        *((f"/p{one}ts", r"has one of \*, \? and \[") for one in "*?["),
        ("/gone.csv", "cannot be read"),
    ],
)
def test_what_is_not_there_is_one_clear_error(bucket, tmp_path, cache, path, message):
    with pytest.raises(UserError, match=message) as error:
        sources.open_source(bucket + path, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "is_one"),
    [("s3://a/b", True), ("gs://a", True), ("s3", False), ("gs", False), ("https://s3/a", False)],
)
def test_what_is_an_address_in_an_object_store(source, is_one):
    assert buckets.is_in_bucket(source) is is_one


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://pictures/pets", "no credentials were found: set AWS_ACCESS_KEY_ID"),
        ("gs://pictures/pets", "no credentials were found: run `gcloud auth application-default"),
    ],
)
def test_without_credentials_nobody_waits(tmp_path, monkeypatch, address, message):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(UserError, match=message):
        sources.open_source(address, tmp_path)


def test_credentials_of_a_profile_are_found(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        "[default]\naws_access_key_id = me\naws_secret_access_key = hush\n"
    )
    assert buckets._STORES["s3"].has_credentials()


def test_with_google_s_credentials_the_store_is_asked(tmp_path, monkeypatch):
    import google.auth

    names = ("cats/1.png", "dogs/1.png", "dogs/", "dogs/.hidden.png")
    found = [SimpleNamespace(path=f"gs://pictures/pets/{name}") for name in names]
    for number, one in enumerate(found):
        one.size_in_bytes, one.last_updated_in_seconds = 7, number + 0.5
    store = SimpleNamespace(match=lambda patterns: [SimpleNamespace(metadata_list=found)])
    monkeypatch.setattr(google.auth, "default", lambda: ("credentials", "project"))
    monkeypatch.setattr(buckets, "_filesystems", lambda: store)
    source = sources.open_source("gs://pictures/pets", tmp_path)
    assert source.ignored == 0, "a folder is no file"
    assert [(item.path, item.size, item.mtime_ns) for item in source.items] == [
        ("cats/1.png", 7, 500_000_000),
        ("dogs/1.png", 7, 1_500_000_000),
    ]


def test_what_is_compressed_is_read_as_it_is(tmp_path):
    path = tmp_path / "pets.tar.gz"
    path.write_bytes(gzip.compress(b"pictures"))
    with buckets.opener("gs://pictures")(str(path)) as file:
        assert file.read() == path.read_bytes()


def test_without_the_extra_its_name_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(buckets._STORES, "s3", _without_library(buckets._STORES["s3"]))
    with pytest.raises(UserError, match=r"install Graft's extra aws \(pip install 'apache-beam\["):
        sources.open_source("s3://pictures/pets", tmp_path)


def _without_library(store):
    def fail():
        raise ImportError("boto3")

    return buckets.dataclasses.replace(store, has_credentials=fail)
