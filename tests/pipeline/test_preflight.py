"""What is looked at before a run."""

import functools
import hashlib
import http.server
import threading
import zipfile

import pytest

from pipeline import preflight
from pipeline.config import load_recipe


@pytest.fixture
def address(tmp_path):
    """Of a server that gives the files in `tmp_path`."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_is_announced_once(address, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for path in ("a/1.jpg", "b/1.jpg"):
            archive.writestr(path, path)
    digest = hashlib.sha256((tmp_path / "pets.zip").read_bytes()).hexdigest()
    overrides = [
        f"data.source={address}/pets.zip",
        f"data.sha256={digest}",
        f"workspace={tmp_path / 'runs'}",
    ]
    recipe = load_recipe("digits", overrides)
    found = preflight.inspect(recipe, preflight.Scope.MACHINE)
    assert len(found.source.items) == 2
    assert capsys.readouterr().err.startswith(f"Downloading {address}/pets.zip to {tmp_path}/cache")
    assert preflight.inspect(recipe, preflight.Scope.MACHINE).fingerprint == found.fingerprint
    assert capsys.readouterr().err == ""
