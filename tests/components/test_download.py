"""Downloads from servers that break off, begin anew, or answer with something else."""

import errno
import hashlib
import http.server
import io
import os
import urllib.request

import pytest

from components import progress
from components.download import WrongContentError, download

CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(loopback):
    """Gives `server.content`, of which at most `server.most_bytes` at once; notes the ranges."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers["Range"]
            server.ranges.append(wanted)
            if server.says_nonsense:
                self.wfile.write(b"nonsense\r\n\r\n")
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if server.ignores_ranges:
                start = 0
            if start >= len(server.content):
                self.send_error(server.status if server.status != 200 else 416)
                return
            continues = start or server.says_from_where
            self.send_response(206 if continues else server.status)
            if continues:
                whole = len(server.content)
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            if server.says_length:
                self.send_header("Content-Length", str(len(server.content) - start))
            self.end_headers()
            start = 0 if server.lies else start
            most_bytes = next(server.portions, server.most_bytes)
            self.wfile.write(server.content[start : start + most_bytes])

        def log_message(self, *_):
            pass

    server = loopback(Handler)
    server.content, server.ranges, server.status = CONTENT, [], 200
    server.most_bytes, server.ignores_ranges, server.says_length = len(CONTENT), False, True
    server.lies = server.says_nonsense = server.says_from_where = False
    server.portions = iter(())  # bytes of the first answers, where they differ from `most_bytes`
    server.url = f"{server.address}/pets.zip"
    return server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pets.zip"


@pytest.mark.parametrize("sha256", [SHA256, None], ids=["checked", "unchecked"])
def test_a_whole_file(server, path, sha256):
    download(server.url, path, sha256)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None]
    assert list(path.parent.iterdir()) == [path]


def test_the_digest_is_that_of_all_parts_of_a_large_file(server, path, monkeypatch):
    monkeypatch.setattr("components.download._CHUNK_BYTES", 70_000)
    download(server.url, path, SHA256)
    assert path.read_bytes() == CONTENT


def test_all_of_it_is_on_the_disk_before_it_has_its_name(server, path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda n: seen.append((os.fstat(n).st_size, path.exists())))
    download(server.url, path, SHA256)
    assert seen == [(len(CONTENT), False)]


def test_a_server_that_breaks_off_again_and_again(server, path):
    server.most_bytes = 100_001
    download(server.url, path, SHA256)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100001-", "bytes=200002-"]


def test_a_server_that_brings_something_new_every_other_time_is_not_given_up(server, path):
    server.portions = iter([0, 1000, 0, 1000, 0])
    download(server.url, path, SHA256)
    assert path.read_bytes() == CONTENT and len(server.ranges) == 6


def test_without_a_digest_nothing_is_put_together(server, path):
    server.most_bytes = 100_001
    with pytest.raises(OSError, match=r"it ended after 100,001 of 300,000 bytes"):
        download(server.url, path)
    assert not path.exists() and server.ranges == [None]
    server.most_bytes = len(CONTENT)
    download(server.url, path)
    assert path.read_bytes() == CONTENT and server.ranges[1:] == [None]


def test_what_a_killed_process_left_is_completed(server, path):
    path.with_name("pets.zip.part").write_bytes(CONTENT[:1000])
    download(server.url, path, SHA256)
    assert path.read_bytes() == CONTENT and server.ranges == ["bytes=1000-"]


def test_a_server_that_begins_anew_and_says_that_it_goes_on(server, path):
    path.with_name("pets.zip.part").write_bytes(CONTENT[:1000])
    server.lies = True
    with pytest.raises(WrongContentError, match="a file of "):
        download(server.url, path, SHA256)
    assert len(server.ranges) == 1 and list(path.parent.iterdir()) == []


def test_a_server_of_crumbs_is_given_up(server, path):
    server.most_bytes = 1
    with pytest.raises(OSError, match="it ended after 100 of 300,000 bytes"):
        download(server.url, path, SHA256)
    assert len(server.ranges) == 100


def test_a_full_disk_keeps_nothing(server, path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path.with_name("pets.zip.part").write_bytes(CONTENT[:1000])
    monkeypatch.setattr(progress, "report", full)
    with pytest.raises(OSError, match="No space left"):
        download(server.url, path, SHA256)
    assert list(path.parent.iterdir()) == []


def test_a_part_that_is_whole_already(server, path):
    path.with_name("pets.zip.part").write_bytes(CONTENT)
    download(server.url, path, SHA256)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("says_from_where", [False, True])
def test_a_server_that_begins_anew_whatever_it_is_asked_for(server, path, says_from_where):
    path.with_name("pets.zip.part").write_bytes(CONTENT[:1000])
    server.ignores_ranges, server.says_from_where = True, says_from_where
    download(server.url, path, SHA256)
    assert path.read_bytes() == CONTENT


def test_a_server_that_gives_nothing_more_is_given_up_and_its_part_kept(server, path):
    server.most_bytes = 0
    path.with_name("pets.zip.part").write_bytes(CONTENT[:1000])
    with pytest.raises(OSError, match=r"it ended after 1,000 of 300,000 bytes"):
        download(server.url, path, SHA256)
    assert len(server.ranges) == 2
    assert [file.name for file in path.parent.iterdir()] == ["pets.zip.part"]


@pytest.mark.parametrize("says_length", [True, False])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"something else", f"a file of {hashlib.sha256(b'something else').hexdigest()}"),
        (b"\n<!DOCTYPE html><html>Please log in</html>", "a web page"),
        (b"<HTML><body>Please log in</body></HTML>", "a web page"),
    ],
)
def test_something_else(server, path, content, says, says_length):
    server.content, server.says_length = content, says_length
    with pytest.raises(WrongContentError, match=says):
        download(server.url, path, SHA256)
    assert list(path.parent.iterdir()) == [], "nothing of it is kept"


@pytest.mark.parametrize(("status", "says"), [(404, "404 Not Found"), (416, "416 Requested Range")])
def test_a_page_that_says_no(server, path, status, says):
    server.content, server.status = b"", status
    with pytest.raises(OSError, match=f"the server answers {says}"):
        download(server.url, path, SHA256)
    assert len(server.ranges) == 1, "a refusal is final"


def test_an_answer_that_is_none_of_http(server, path):
    server.says_nonsense = True
    with pytest.raises(OSError, match=r"the answer is broken: .*nonsense"):
        download(server.url, path, SHA256)
    assert len(server.ranges) == 2


def test_no_server(server, path):
    with pytest.raises(OSError, match="refused"):
        download("http://127.0.0.1:1/pets.zip", path, SHA256)


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
def test_from_https_nobody_is_led_to_http(path, monkeypatch, scheme):
    class Answer(io.BytesIO):
        url, headers = "http://mirror.example.com/pets.zip", {}

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Answer(CONTENT))
    with pytest.raises(OSError, match=r"it leads to http://mirror\.example\.com/pets\.zip, which"):
        download(f"{scheme}://example.com/pets.zip", path, SHA256)
    assert not path.exists()
    Answer.url = f"{scheme}://mirror.example.com/pets.zip"
    download(f"{scheme}://example.com/pets.zip", path, SHA256)
    assert path.read_bytes() == CONTENT


def test_it_is_told_how_much_has_arrived_and_of_how_much(server, path):
    path.with_name("pets.zip.part").write_bytes(CONTENT[:1000])
    seen = []
    with progress.watched_by(seen.append):
        download(server.url, path, SHA256)
    assert (seen[-1].done, seen[-1].total) == (300_000, 300_000)


def test_a_file_that_is_there_stays_until_the_right_one_is_whole(server, path):
    path.write_bytes(b"of yesterday")
    server.content = b"something else"
    with pytest.raises(WrongContentError, match="a file of "):
        download(server.url, path, SHA256)
    assert path.read_bytes() == b"of yesterday"
    server.content = CONTENT
    download(server.url, path, SHA256)
    assert path.read_bytes() == CONTENT
