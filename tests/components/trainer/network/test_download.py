"""SavedModels from a server: whole, the right one, and nothing outside their folder."""

import hashlib
import http.server
import io
import shutil
import tarfile
from pathlib import Path

import pytest

from components.errors import UserError
from components.trainer.network import download

PATH = "/model?tf-hub-format=compressed"


@pytest.fixture
def server(loopback):
    """`server.content[path]` is what it gives; `server.asked` is what was asked for."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(self.path)
            content = server.content.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"") + server.missing_bytes))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_):
            pass

    server = loopback(Handler)
    server.content, server.asked, server.missing_bytes = {}, [], 0
    server.url = server.address + PATH
    return server


def archive(*names):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"text"))
    return file.getvalue()


@pytest.mark.parametrize("inside", ["saved_model.pb", "./saved_model.pb", "model/saved_model.pb"])
def test_it_is_fetched_once_and_kept(server, tmp_path, inside):
    server.content[PATH] = archive(inside, "variables/variables.index")
    folder = download.saved_model(server.url, None, tmp_path)
    assert (folder / "saved_model.pb").read_text() == "text"
    assert download.saved_model(server.url, None, tmp_path) == folder
    assert server.asked == [PATH]
    assert len(list(tmp_path.iterdir())) == 1, "nothing is left of the download"


def test_it_is_unpacked_on_the_disk_on_which_it_is_kept(server, tmp_path, monkeypatch):
    server.content[PATH] = archive("saved_model.pb")
    cache, moved, rename = tmp_path / "home" / "graft", [], Path.rename
    monkeypatch.setattr(
        Path, "rename", lambda old, new: moved.append((old, new)) or rename(old, new)
    )
    folder = download.saved_model(server.url, None, cache)
    ((old, new),) = moved
    assert new == folder and cache in old.parents


def test_of_several_models_in_an_archive_the_outermost_is_taken_or_the_first(server, tmp_path):
    server.content[PATH] = archive("saved_model.pb", "teacher/saved_model.pb")
    server.content["/two"] = archive("b/saved_model.pb", "a/saved_model.pb")
    assert download.saved_model(server.url, None, tmp_path).parent == tmp_path
    assert download.saved_model(f"{server.address}/two", None, tmp_path).name == "a"


def test_the_digest_is_checked_and_what_was_kept_without_one_does_not_count(server, tmp_path):
    server.content[PATH] = archive("saved_model.pb")
    right = hashlib.sha256(server.content[PATH]).hexdigest()
    download.saved_model(server.url, None, tmp_path)
    with pytest.raises(ValueError, match=rf"backbone\.sha256 is {'0' * 64}, but http.*{right}"):
        download.saved_model(server.url, "0" * 64, tmp_path)
    assert (download.saved_model(server.url, right, tmp_path) / "saved_model.pb").is_file()


def test_what_leads_out_of_the_folder_is_refused(server, tmp_path):
    cache = tmp_path / "cache"
    server.content[PATH] = archive("saved_model.pb", "../../escaped")
    with pytest.raises(ValueError, match=r"backbone\.weights: http.*can be unpacked"):
        download.saved_model(server.url, None, cache)
    assert not list(tmp_path.rglob("escaped")) and not list(cache.iterdir())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be downloaded .*404"),
        (b"<html>a page about the model</html>", "tf-hub-format=compressed"),
        (archive("saved_model.pb")[:-20], "can be unpacked"),
        (archive("readme.txt"), "holds no SavedModel"),
    ],
    ids=["missing", "a page", "cut off", "another archive"],
)
def test_what_comes_instead_names_the_key_and_the_url(server, tmp_path, content, says):
    server.content[PATH] = content
    with pytest.raises(ValueError, match=rf"backbone\.weights: .*{server.url[:20]}.*{says}"):
        download.saved_model(server.url, None, tmp_path)
    assert not list(tmp_path.iterdir()), "nothing that could be taken for whole"


def test_a_connection_that_breaks_is_told_and_tried_again_the_next_time(server, tmp_path):
    server.content[PATH], server.missing_bytes = archive("saved_model.pb"), 10
    with pytest.raises(ValueError, match=r"cannot be downloaded"):
        download.saved_model(server.url, None, tmp_path)
    server.missing_bytes = 0
    download.saved_model(server.url, None, tmp_path)


def test_https_that_leads_to_http_is_refused(tmp_path, monkeypatch):
    class Answer(io.BytesIO):
        url, headers = "http://elsewhere.example/model.tar.gz", {}

    content = archive("saved_model.pb")
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: Answer(content))
    with pytest.raises(UserError, match=r"cannot be downloaded \(it leads to http://elsewhere"):
        download.saved_model("https://example.com/model.tar.gz", None, tmp_path)
    Answer.url = "https://elsewhere.example/model.tar.gz"
    download.saved_model("https://example.com/model.tar.gz", None, tmp_path)


def test_a_folder_that_cannot_be_written_names_the_variable_to_set(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="KERAS_HOME names another folder"):
        download.saved_model(server.url, None, tmp_path / "file" / "graft")


def test_a_process_that_was_faster_is_no_error(server, tmp_path, monkeypatch):
    server.content[PATH] = archive("saved_model.pb")

    def too_late(unpacked, folder):
        shutil.copytree(unpacked, folder)
        raise OSError("directory not empty")

    monkeypatch.setattr(Path, "rename", too_late)
    folder = download.saved_model(server.url, None, tmp_path)
    assert (folder / "saved_model.pb").read_text() == "text"


def test_a_folder_that_cannot_be_moved_to_its_place_is_an_error(server, tmp_path, monkeypatch):
    server.content[PATH] = archive("saved_model.pb")

    def refused(unpacked, folder):
        raise OSError("read-only")

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OSError, match="read-only"):
        download.saved_model(server.url, None, tmp_path)
    assert not list(tmp_path.iterdir())
