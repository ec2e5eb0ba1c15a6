"""Data sources at an address: downloaded once, kept, and refused when they are others."""

import contextlib
import errno
import hashlib
import os
import zipfile

import pytest

from components import progress
from components.errors import UserError
from components.example_gen.config import DataSettings
from components.example_gen.reading import remote, sources


@pytest.fixture
def served(tmp_path, loopback_folder):
    """A folder and the address that its files are had from."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder, loopback_folder(folder)


@pytest.fixture
def archive(served):
    folder, address = served
    with zipfile.ZipFile(folder / "my pets.zip", "w") as file:
        for label in "ab":
            file.writestr(f"{label}/1.jpg", label)
    digest = hashlib.sha256((folder / "my pets.zip").read_bytes()).hexdigest()
    return f"{address}/my%20pets.zip", digest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _open(url, sha256, workspace):
    return sources.open_source(url, workspace, DataSettings(sha256=sha256))


def test_it_is_downloaded_once_and_opens_again_by_its_location(archive, served, cache, tmp_path):
    source = _open(*archive, tmp_path)
    assert [item.path for item in source.items] == ["a/1.jpg", "b/1.jpg"]
    assert source.location == str(next(cache.rglob("my pets.zip")))
    (served[0] / "my pets.zip").unlink()
    assert _open(*archive, tmp_path) == source
    assert sources.open_source(source.location, tmp_path) == source


def test_two_files_of_one_name_are_kept_apart():
    url = "https://example.com/pets.zip"
    one, other = remote.kept_at(url, "a" * 64), remote.kept_at(url, "b" * 64)
    assert one != other and one.name == other.name == "pets.zip"


@pytest.mark.parametrize("rest", ["?download=1", "?file=/labels.csv", "#part"])
def test_what_comes_after_the_path_of_an_address_names_no_file(rest):
    url = f"https://example.com/my%20pets.zip{rest}"
    sources.check_address(url, DataSettings(sha256="0" * 64))
    assert remote.file_name(url) == "my pets.zip"


def test_an_address_may_be_in_any_letter_case():
    remote.check_address("HTTPS://example.com/pets.zip", "0" * 64)
    assert remote.file_name("https://example.com/a%20b/My%20Pets.ZIP?raw=1#top") == "My Pets.ZIP"


def test_a_download_anew_gives_the_same_cache_key(archive, cache, tmp_path):
    before = sources.fingerprint(_open(*archive, tmp_path))
    next(cache.rglob("my pets.zip")).unlink()
    assert sources.fingerprint(_open(*archive, tmp_path)) == before


def test_another_file_than_promised(archive, cache, tmp_path):
    url, digest = archive
    with pytest.raises(
        UserError, match=rf"data\.sha256 is {'0' * 64}, but {url} gives a file of {digest}"
    ):
        _open(url, "0" * 64, tmp_path)
    assert not list(cache.rglob("my pets.zip*"))


def test_a_web_page(served, archive, tmp_path):
    folder, _ = served
    (folder / "my pets.zip").write_text("<!doctype html><p>Please log in")
    with pytest.raises(UserError, match=r"data\.sha256 is .*, but http.* gives a web page"):
        _open(*archive, tmp_path)


def test_what_another_run_has_downloaded_while_this_one_waited_is_taken(archive, monkeypatch):
    url, digest = archive
    path = remote.kept_at(url, digest)

    @contextlib.contextmanager
    def wait(lock):
        path.write_bytes(b"of the other run")
        yield

    monkeypatch.setattr(remote.filelock, "FileLock", wait)
    assert remote.fetch(url, digest) == path
    assert path.read_bytes() == b"of the other run"


def test_a_file_that_is_not_there(served, cache, tmp_path):
    url = f"{served[1]}/gone.zip"
    where = cache / "sources" / ("0" * 32)
    with pytest.raises(
        UserError, match=rf"data\.source {url} cannot be downloaded to {where} \(.*404"
    ):
        _open(url, "0" * 64, tmp_path)


def test_a_cache_that_cannot_be_written(archive, cache, tmp_path):
    cache.touch()
    with pytest.raises(UserError, match="GRAFT_CACHE names another folder"):
        _open(*archive, tmp_path)


def test_of_a_full_disk_nothing_is_said_to_be_kept(archive, cache, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(progress, "report", full)
    with pytest.raises(UserError, match=r"on device\): free some space\. GRAFT_CACHE names"):
        remote.fetch(*archive)
    assert not list(cache.rglob("my pets.zip*"))


@pytest.mark.parametrize(
    ("url", "sha256", "message"),
    [
        ("http://127.0.0.1:1/pets.zip", None, r"data\.sha256 is not set: http://127.* needs the"),
        (
            "ftp://bucket/pets.zip",
            "0" * 64,
            "ftp://bucket/pets.zip is a remote address: only s3://",
        ),
        ("https://example.com", "0" * 64, "https://example.com names no file"),
        (
            "https://me:hush@host/a.zip",
            "0" * 64,
            "^data.source: the address has a name or password",
        ),
        (
            "https://example.com/labels.csv",
            "0" * 64,
            r"is the address of no archive .* in \.zip",
        ),
    ],
)
def test_addresses_that_are_refused_before_anything_is_asked_of_them(
    url, sha256, message, tmp_path
):
    with pytest.raises(UserError, match=message):
        _open(url, sha256, tmp_path)
