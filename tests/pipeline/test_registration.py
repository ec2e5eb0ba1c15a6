"""`graft register`, against a stand-in of the Model Registry's API that checks what it is sent.

Paths and fields are those of the registry's own definition (`api/openapi/model-registry.yaml`,
v1); the client is the published one.
"""

import http.server
import json
import shutil
import socket
import threading
import urllib.parse
from datetime import datetime, timezone
from pathlib import Path

import pytest

from components import served_versions
from components.classes import write_classes
from components.gates import Gate, write_gates
from pipeline import registration
from pipeline.commands import register as command
from pipeline.config import load_recipe

pytest.importorskip("model_registry", reason="skipped: the extra `registry` is not installed")

API = "/api/model_registry/v1"
_MODEL = {"name", "owner", "customProperties", "state"}
_VERSION = {"name", "author", "registeredModelId", "customProperties", "description", "state"}
_ARTIFACT = {"name", "uri", "artifactType", "modelFormatName", "modelFormatVersion", "state"}


class Registry:
    """What was sent, and what to refuse.

    Attributes:
        models, versions, artifacts: what was created, by id.
        problems: what no client may send.
        refuse: status to answer with, by method; the path is told too.
        token: the one that is wanted; empty: none.
    """

    def __init__(self):
        self.models, self.versions, self.artifacts = {}, {}, {}
        self.problems, self.refuse, self.token = [], {}, ""

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(handler):  # noqa: N805
                self._answer(handler)

            do_POST = do_GET  # noqa: N815

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def _answer(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        length = int(handler.headers.get("Content-Length") or 0)
        body = json.loads(handler.rfile.read(length) or "null")
        path = url.path.removeprefix(API)
        for where, code in self.refuse.items():
            if (handler.command, path) == where:
                return self._send(handler, code, {"code": str(code), "message": "no"})
        if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
            return self._send(handler, 401, {"code": "401", "message": "who are you?"})
        if handler.command == "GET":
            return self._send(handler, *self._find(path, query))
        if handler.headers.get("Content-Type") != "application/json":
            self.problems.append("not JSON")
        self._send(handler, 201, self._create(path, body))

    def _find(self, path, query):
        name, parent = query.get("name"), query.get("parentResourceId")
        kinds = {
            "/registered_model": (self.models, None),
            "/model_version": (self.versions, "registeredModelId"),
            "/model_artifact": (self.artifacts, "versionId"),
        }
        if path == "/registered_models":
            listed = list(self.models.values())
            return 200, {"items": listed, "size": len(listed), "pageSize": 1, "nextPageToken": ""}
        kind, key = kinds[path]
        for item in kind.values():
            if item["name"] == name and (key is None or item[key] == parent):
                return 200, item
        return 404, {"code": "404", "message": f"no {name}"}

    def _create(self, path, body):
        kinds = {"registered_models": self.models, "model_versions": self.versions}
        fields = {"registered_models": _MODEL, "model_versions": _VERSION, "artifacts": _ARTIFACT}
        *between, kind = path.strip("/").split("/")
        if extra := {key for key, value in body.items() if value is not None} - fields[kind]:
            self.problems.append(f"{kind}: unknown fields {extra}")
        for name, value in body.get("customProperties", {}).items():
            kind_of_value = value.get("metadataType", "").removeprefix("Metadata")
            if kind_of_value not in ("StringValue", "DoubleValue", "BoolValue"):
                self.problems.append(f"property {name}: {value}")
        item = {**body, "id": str(len(kinds.get(kind, self.artifacts)) + 1)}
        if kind == "artifacts":
            if between[0] != "model_versions" or between[1] not in self.versions:
                self.problems.append(f"an artifact of {between}")
            item["versionId"] = between[1]
        elif kind == "model_versions" and body["registeredModelId"] not in self.models:
            self.problems.append(f"no model {body['registeredModelId']}")
        kinds.get(kind, self.artifacts)[item["id"]] = item
        return item

    @staticmethod
    def _send(handler, status, body):
        content = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


@pytest.fixture
def registry():
    stub = Registry()
    yield stub
    stub.close()
    assert not stub.problems


@pytest.fixture
def destination(tmp_path, monkeypatch) -> Path:
    """Serves version 3, with what a push leaves beside it."""
    monkeypatch.delenv(registration.TOKEN_VARIABLE, raising=False)
    monkeypatch.delenv("KF_PIPELINES_SA_TOKEN_PATH", raising=False)
    model, evidence = tmp_path / "3", served_versions.evidence_folder(tmp_path, "3")
    (model / "assets.extra").mkdir(parents=True)
    (model / served_versions.SAVED_MODEL_FILE).write_bytes(b"model")
    write_classes(model, ["dog", "cat"])
    evidence.mkdir(parents=True)
    pushed_at = datetime(2026, 11, 24, tzinfo=timezone.utc)
    record = served_versions.PushRecord(pushed_at, "0" * 64, {})
    served_versions.write_push_record(evidence, record)
    accuracy = Gate("accuracy", "pass", 0.97, 0.9, "0.9700, at least 0.9 wanted")
    write_gates(evidence, [accuracy, Gate("leakage", "pass", 0, 0, "no copy")])
    origin = {"git": {"revision": "abc", "dirty": False}, "recipe": {"name": "x"}, "inputs": {}}
    (evidence / "provenance.json").write_text(json.dumps(origin))
    return tmp_path


@pytest.fixture
def register(registry, destination, capsys):
    def register(*overrides, **options):
        settings = [f"push.destination={destination}", f"push.registry={registry.url}", *overrides]
        command.register_version("digits", settings, **options)
        return capsys.readouterr().out

    return register


def test_a_version_is_noted_with_its_findings_and_origin(registry, register):
    out = register("push.registry_uri=pvc://models/digits")
    place = "pvc://models/digits/3"
    assert out == f"digits, version 3: registered at {registry.url} as {place}\n"
    ((model,), (version,), (artifact,)) = (
        list(kind.values()) for kind in (registry.models, registry.versions, registry.artifacts)
    )
    assert model["name"] == "digits" and version["name"] == "3"
    assert model["owner"] == version["author"] == "graft"
    assert (artifact["uri"], artifact["artifactType"]) == (place, "model-artifact")
    assert (artifact["modelFormatName"], artifact["modelFormatVersion"]) == ("tensorflow", "2")
    said = {
        name: next(v for key, v in value.items() if key != "metadataType")
        for name, value in version["customProperties"].items()
    }
    assert said == {
        "classes": "dog, cat",
        "digest": "0" * 64,
        "pushed_at": "2026-11-24T00:00:00+00:00",
        "gate.accuracy": "pass: 0.9700, at least 0.9 wanted",
        "value.accuracy": 0.97,
        "gate.leakage": "pass: no copy",
        "value.leakage": 0.0,
        "git.revision": "abc",
        "git.dirty": False,
    }


def test_a_version_is_noted_once(registry, register):
    register()
    assert "version 3: registered already at" in register()
    assert len(registry.models) == len(registry.versions) == len(registry.artifacts) == 1


def test_a_version_that_lies_elsewhere_is_not_overwritten(registry, register):
    register()
    with pytest.raises(ValueError, match=r"version 3 of digits already, at file:.*--name"):
        register(uri="s3://other/3")
    register(uri="s3://other/3", name="digits-of-others")
    assert [model["name"] for model in registry.models.values()] == ["digits", "digits-of-others"]


@pytest.mark.parametrize("token", ["right", "wrong"])
def test_a_token(registry, register, tmp_path, token):
    registry.token = "right"
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    if token == "right":
        register(token_file=file)
        assert registry.versions
    else:
        with pytest.raises(registration.RegistryError, match=r"it refuses the token \(401\)$"):
            register(token_file=file)


@pytest.mark.parametrize(
    ("overrides", "options", "message"),
    [
        (["push.registry=''"], {}, "which model registry.*--registry.*push.registry"),
        ([], {"version": "7"}, r"has no version 7 \(there are: 3\)"),
        ([], {"registry": "registry:8080"}, "begins with http or https"),
        ([], {"registry": "httpx://registry"}, "begins with http or https"),
        ([], {"registry": "https://registry"}, "wants a token.*MODEL_REGISTRY_TOKEN"),
        ([], {"token_file": Path("nowhere")}, "--token-file nowhere: No such file"),
    ],
)
def test_a_mistake_is_one_clear_error(registry, register, overrides, options, message):
    with pytest.raises(ValueError, match=message):
        register(*overrides, **options)
    assert not registry.models


def test_damaged_evidence_is_told(register, destination):
    (destination / "evidence" / "3" / "provenance.json").write_text("{")
    with pytest.raises(ValueError, match=r"provenance\.json is damaged"):
        register()


def of_a_run(destination, registry):
    recipe = load_recipe(
        "digits", [f"push.destination={destination}", f"push.registry={registry.url}"]
    )
    return command.register_pushed(recipe, str(destination / "3"))


def test_a_run_notes_what_it_pushed(registry, destination):
    assert of_a_run(destination, registry) == (
        f"Registered at {registry.url} as {(destination / '3').as_uri()}"
    )
    assert registry.versions


def test_a_run_notes_what_it_pushed_and_not_what_is_served_by_then(registry, destination):
    shutil.copytree(destination / "3", destination / "4")
    write_classes(destination / "4", ["cat", "fox"])
    of_a_run(destination, registry)
    (version,) = registry.versions.values()
    assert version["name"] == "3"
    assert "dog, cat" in version["customProperties"]["classes"].values()


def test_a_recipe_without_registry_notes_nothing(destination):
    assert command.register_pushed(load_recipe("digits"), str(destination / "3")) == ""


def test_a_registry_that_is_down_fails_no_run_that_has_pushed(destination):
    stub = Registry()
    stub.close()
    line = of_a_run(destination, stub)
    assert line.startswith(f"Pushed, but not registered: model registry {stub.url}: ")
    assert line.endswith("; graft register makes up for it (--version 3)") and "\n" not in line


def test_a_registry_that_does_not_answer_is_not_waited_for(destination, monkeypatch):
    monkeypatch.setattr(registration, "_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(registration.RegistryError, match=rf"{url}: no answer in 0\.1 seconds"):
            registration.register(url, None, "digits", "3", "s3://m/3", {})


def test_a_registry_that_fails_half_way_is_told_and_made_up_for(registry, destination, register):
    path = "/model_versions/1/artifacts"
    registry.refuse[("POST", path)] = 500
    assert "model registry" in of_a_run(destination, registry)
    registry.refuse.clear()
    assert "version 3: registered at" in register()
    (artifact,) = registry.artifacts.values()
    assert len(registry.versions) == 1 and artifact["name"] == "digits"
    assert (artifact["modelFormatName"], artifact["modelFormatVersion"]) == ("tensorflow", "2")


def test_what_the_command_line_says_goes_before_the_recipe(registry, register):
    out = register(
        "push.registry=http://127.0.0.1:9", registry=registry.url, name="x", uri="s3://a"
    )
    assert out == f"x, version 3: registered at {registry.url} as s3://a\n"


def test_an_older_version_can_be_noted_and_a_slash_at_the_end_is_no_folder(
    registry, register, destination
):
    shutil.copytree(destination / "3", destination / "4")
    out = register("push.registry_uri=pvc://models/digits/", version="3")
    assert out.endswith("as pvc://models/digits/3\n")


def test_a_destination_that_is_relative_has_an_absolute_address(destination, monkeypatch):
    monkeypatch.chdir(destination.parent)
    recipe = load_recipe("digits", [f"push.destination={destination.name}"])
    assert command.place_of(recipe, "3") == (destination / "3").as_uri()


def test_the_token_of_the_environment_serves_command_and_run(
    registry, register, destination, monkeypatch
):
    registry.token = "right"
    monkeypatch.setenv(registration.TOKEN_VARIABLE, "right")
    assert "registered at" in register()
    shutil.copytree(destination / "3", destination / "4")
    assert of_a_run(destination, registry).startswith("Registered at")


def test_code_libraries_and_inputs_are_facts_of_a_version_and_the_recipe_is_not(destination):
    origin = {
        "inputs": {"weights_fingerprint": "a", "teacher_fingerprint": ""},
        "code": "b",
        "libraries": "c",
        "versions": {"tfx": "1.17"},
        "git": None,
        "recipe": {"name": "x"},
        "processor": "abacus",
    }
    (destination / "evidence" / "3" / "provenance.json").write_text(json.dumps(origin))
    facts = registration.facts_of(destination, served_versions.find_version(destination, "3"))
    known = {"inputs.weights_fingerprint": "a", "code": "b", "libraries": "c"}
    own = ("classes", "digest", "pushed_at", "gate", "value")
    assert {key: value for key, value in facts.items() if key.partition(".")[0] not in own} == {
        **known,
        "versions.tfx": "1.17",
    }


def test_a_version_of_an_earlier_release_is_known_by_less(destination):
    (destination / "evidence" / "3" / served_versions.PUSH_FILE).unlink()
    facts = registration.facts_of(destination, served_versions.find_version(destination, "3"))
    assert not {"digest", "pushed_at"} & facts.keys() and facts["git.revision"] == "abc"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (403, "it refuses the token (403)"),
        (401, "it refuses the token (401)"),
        (500, "it answers 500 Internal Server Error"),
    ],
)
def test_what_the_registry_answers_is_told(registry, register, status, says):
    registry.refuse["GET", "/registered_model"] = status
    registry.refuse["GET", "/registered_models"] = status
    with pytest.raises(registration.RegistryError) as error:
        register()
    assert str(error.value) == f"model registry {registry.url}: {says}"
