"""The request of the page for clusters, to the letter, against a server that is strict about it.

KServe's own `ModelServer` does not go with TFX's pins, so this is a server of ours that speaks its
V1 protocol (row format). It refuses what KServe and TensorFlow Serving refuse: a body that does not
say that it is JSON, and outputs that do not have a row for each instance.
"""

import base64
import http.server
import json
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "kubeflow" / "README.md"
MODEL = "graft"


@pytest.fixture(scope="module")
def server(pushed):
    """Serves the pushed model; gives its port, and what was wrong with the requests."""
    import tensorflow as tf

    answer = tf.saved_model.load(str(pushed)).signatures["serving_default"]
    (name,) = answer.structured_input_signature[1]
    refused = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path != f"/v1/models/{MODEL}:predict":
                return self._send(404, {"error": f"no model at {self.path}"})
            if self.headers.get("Content-Type") != "application/json":
                return self._send(415, {"error": f"not JSON: {self.headers.get('Content-Type')}"})
            body = json.loads(content)
            if set(body) - {"instances", "signature_name"} or not body["instances"]:
                return self._send(400, {"error": f"fields {sorted(body)}"})
            values = [instance.get(name, instance) for instance in body["instances"]]
            if any(set(value) != {"b64"} for value in values):
                return self._send(400, {"error": "bytes are {'b64': …}"})
            pictures = [base64.b64decode(value["b64"], validate=True) for value in values]
            outputs = {k: v.numpy() for k, v in answer(**{name: tf.constant(pictures)}).items()}
            if any(len(rows) != len(pictures) for rows in outputs.values()):
                return self._send(400, {"error": "an output has an inconsistent batch size"})
            rows = [
                {key: _plain(of_all[row]) for key, of_all in outputs.items()}
                for row in range(len(pictures))
            ]
            self._send(200, {"predictions": rows})

        def _send(self, status, body):
            if status != 200:
                refused.append(body["error"])
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
    yield listening.server_address[1], refused
    listening.shutdown()
    listening.server_close()


def _plain(value):
    """As JSON has it."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "base64"))),
    reason="skipped: no curl",
)
def test_the_request_of_the_page_gets_an_answer(server, draw, tmp_path):
    port, refused = server
    (command,) = re.findall(r"^    (printf .*curl .*)$", README.read_text("utf-8"), re.MULTILINE)
    (tmp_path / "a.jpg").write_bytes(draw("disc", 7))
    done = subprocess.run(
        ["bash", "-c", command.replace("localhost:8080", f"127.0.0.1:{port}")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert refused == []
    (prediction,) = json.loads(done.stdout)["predictions"]
    assert prediction["label"] == "disc"
    assert sorted(prediction["classes"]) == ["bar", "disc", "frame"]
    assert prediction["probability"] == pytest.approx(max(prediction["probabilities"]))
