"""A stand-in for the REST API of Kubeflow Pipelines, on loopback, that checks what it is sent.

Its answers follow the backend's source: apiserver/server/api_converter.go for runs and tasks (unset
times are the year 1, no message with a failed task), common/util/workflow.go for the nodes, and
apiserver/server/run_log_server.go for logs (status 200 also when there is none).
"""

import email
import http.server
import json
import re
import sys
import threading
import time
import urllib.parse

import pytest

from pipeline.commands.submit import Options, submit_package
from pipeline.kubeflow.client import credentials

# Fields of the requests, from backend/api/v2beta1/swagger; the server refuses any other.
_RUN_FIELDS = {
    "display_name",
    "experiment_id",
    "pipeline_spec",
    "pipeline_version_reference",
    "runtime_config",
    "service_account",
}
_SCHEDULE_FIELDS = _RUN_FIELDS | {"max_concurrency", "mode", "no_catchup", "trigger"}


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that gives up waiting is what some tests are about, and no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _parts(content: bytes, kind: str) -> list[tuple[str, str, str]]:
    """Field, file name and text of each part of a form."""
    form = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + content)
    return [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_payload(decode=True).decode(),
        )
        for part in form.get_payload()
    ]


class KfpStub:
    """The API with what it has been sent, and what it is to answer.

    Attributes:
        requests: (method, path, query, headers, JSON body) of each.
        problems: what no client may send.
        runs: bodies of the runs that were created; schedules likewise, by id.
        script: answers to questions for a run, as (state, task_details); the last one stays.
        error: what is said of a run that failed.
        failures: statuses to answer with first, as (method, path pattern, status, body).
        on_get_run: called at every question for a run.
        logs: text by pod.
        hang: seconds to sleep before an answer, by method.
    """

    def __init__(self, workflow):
        self.steps, self.pod = workflow.steps, workflow.pod
        self.package_documents = workflow.package_documents
        self._task_details = workflow.task_details
        self.requests, self.problems, self.runs = [], [], []
        self.schedules: dict[str, dict] = {}
        self.experiments: dict[str, dict] = {}
        self.pipelines: dict[str, dict] = {}
        self.versions: dict[str, dict] = {}
        self.script = [("SUCCEEDED", workflow.task_details(len(workflow.steps)))]
        self.failures: list[tuple] = []
        self.error = ""
        self.logs: dict[str, str] = {}
        self.ui_only_logs = False
        self.multi_user = False
        self.on_get_run = lambda: None
        self.hang: dict[str, float] = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(handler):  # noqa: N805
                self._answer(handler)

            do_POST = do_DELETE = do_GET  # noqa: N815

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def serve_tls(self, context):
        """Speaks https from here on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host = self.host.replace("http://", "https://")

    def play(self, *scenes: tuple[str, dict | None]):
        """What a run is from one question to the next: state, arguments of `task_details`."""
        self.script = [(state, self._task_details(**w) if w else None) for state, w in scenes]

    def paths(self, method: str | None = None) -> list[str]:
        return [path for m, path, *_ in self.requests if method in (None, m)]

    def _answer(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        length = int(handler.headers.get("Content-Length") or 0)
        content = handler.rfile.read(length)
        kind = handler.headers.get("Content-Type", "")
        body = _parts(content, kind) if "multipart" in kind else json.loads(content or "null")
        self.requests.append((handler.command, url.path, query, dict(handler.headers), body))
        time.sleep(self.hang.get(handler.command, 0))
        for failure in self.failures:
            method, pattern, status, text = failure
            if method == handler.command and re.search(pattern, url.path):
                self.failures.remove(failure)
                return self._send(handler, status, text)
        for method, pattern, answer in self._routes():
            match = re.fullmatch(pattern, url.path)
            if match and method == handler.command:
                return self._send(handler, *answer(query, body, *match.groups()))
        self._send(handler, 404, "404 page not found")

    @staticmethod
    def _send(handler, status, body):
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/plain" if isinstance(body, str) else "application/json"
        handler.send_response(status)
        if 300 <= status < 400:
            handler.send_header("Location", "/dex/auth")
        if status == 503:  # as proxies do, for as long as it suits them
            handler.send_header("Retry-After", "600")
        handler.send_header("Content-Type", "text/html" if text.startswith("<") else kind)
        handler.send_header("Content-Length", str(len(text.encode())))
        handler.end_headers()
        handler.wfile.write(text.encode())

    def _routes(self):
        api = "/apis/v2beta1"
        return [
            ("GET", f"{api}/healthz", lambda q, b: (200, {"multi_user": self.multi_user})),
            ("GET", f"{api}/experiments", self._list_experiments),
            ("POST", f"{api}/experiments", self._create_experiment),
            ("POST", f"{api}/runs", self._create_run),
            ("GET", f"{api}/runs/([^/]+)", self._get_run),
            ("GET", f"{api}/recurringruns", self._list_schedules),
            ("POST", f"{api}/recurringruns", self._create_schedule),
            ("DELETE", f"{api}/recurringruns/([^/]+)", self._delete_schedule),
            ("GET", f"{api}/pipelines", self._list_pipelines),
            ("POST", f"{api}/pipelines", self._create_pipeline),
            ("GET", f"{api}/pipelines/([^/]+)/versions", self._list_versions),
            ("POST", f"{api}/pipelines/upload_version", self._upload_version),
            ("GET", "/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log", self._log),
            ("GET", "/k8s/pod/logs", self._ui_log),
            ("GET", "/dex/auth", lambda q, b: (200, "<html>Log in</html>")),
        ]

    def _check_namespace(self, namespace):
        if bool(namespace) != self.multi_user:
            self.problems.append(f"namespace {namespace!r}, multi-user {self.multi_user}")

    def _check_job(self, body, fields):
        if extra := set(body) - fields:
            self.problems.append(f"unknown fields {extra}")
        if body.get("experiment_id") not in {e["experiment_id"] for e in self.experiments.values()}:
            self.problems.append(f"no experiment {body.get('experiment_id')!r}")
        if ("pipeline_spec" in body) == ("pipeline_version_reference" in body):
            self.problems.append("either a specification or a version runs")
        if not body.get("display_name"):
            self.problems.append("no name")
        if extra := set(body.get("runtime_config", {})) - {"parameters", "pipeline_root"}:
            self.problems.append(f"unknown fields {extra} in runtime_config")

    def _wanted(self, query) -> str:
        """The name that a list is asked for; other filters find what they should not."""
        (predicate,) = json.loads(query["filter"])["predicates"]
        if predicate["operation"] != "EQUALS" or predicate["key"] not in ("name", "display_name"):
            self.problems.append(f"filter {predicate}")
        return predicate["stringValue"]

    def _list_experiments(self, query, body):
        self._check_namespace(query.get("namespace"))
        name = self._wanted(query)
        return 200, {"experiments": [self.experiments[name]]} if name in self.experiments else {}

    def _create_experiment(self, query, body):
        self._check_namespace(body.get("namespace"))
        self.experiments[body["display_name"]] = {**body, "experiment_id": "exp-1"}
        return 200, self.experiments[body["display_name"]]

    def _create_run(self, query, body):
        self._check_job(body, _RUN_FIELDS)
        self.runs.append(body)
        return 200, {**body, "run_id": "run-1", "state": "PENDING"}

    def _get_run(self, query, body, run_id):
        self.on_get_run()
        state, details = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        run = {"run_id": run_id, "state": state, "finished_at": "0001-01-01T00:00:00Z"}
        if self.error:
            run["error"] = {"message": self.error}
        return 200, {**run, "run_details": {"task_details": details}} if details else run

    def _list_schedules(self, query, body):
        wanted = query["experiment_id"], self._wanted(query)
        same = [
            schedule
            for schedule in self.schedules.values()
            if (schedule["experiment_id"], schedule["display_name"]) == wanted
        ]
        return 200, {"recurringRuns": same, "total_size": len(same)}

    def _create_schedule(self, query, body):
        self._check_job(body, _SCHEDULE_FIELDS)
        schedule = {**body, "recurring_run_id": f"schedule-{len(self.requests)}"}
        self.schedules[schedule["recurring_run_id"]] = schedule
        return 200, schedule

    def _delete_schedule(self, query, body, schedule_id):
        del self.schedules[schedule_id]
        return 200, {}

    def _list_pipelines(self, query, body):
        self._check_namespace(query.get("namespace"))
        name = self._wanted(query)
        same = [p for p in self.pipelines.values() if p["display_name"] == name]
        return 200, {"pipelines": same} if same else {}

    def _create_pipeline(self, query, body):
        self._check_namespace(body.get("namespace"))
        pipeline = {**body, "pipeline_id": f"pipeline-{len(self.pipelines)}"}
        self.pipelines[pipeline["pipeline_id"]] = pipeline
        return 200, pipeline

    def _list_versions(self, query, body, pipeline_id):
        name = self._wanted(query)
        same = [
            v
            for v in self.versions.values()
            if (v["pipeline_id"], v["display_name"]) == (pipeline_id, name)
        ]
        return 200, {"pipeline_versions": same} if same else {}

    def _upload_version(self, query, body):
        if query["pipelineid"] not in self.pipelines:
            self.problems.append(f"no pipeline {query['pipelineid']}")
        ((field, name, text),) = body
        if (field, name.endswith(".yaml")) != ("uploadfile", True):
            self.problems.append(f"a file {name} as {field}")
        version = {
            "pipeline_id": query["pipelineid"],
            "pipeline_version_id": f"version-{len(self.versions)}",
            "display_name": query["name"],
        }
        self.versions[version["pipeline_version_id"]] = {**version, "text": text}
        return 200, version

    def _log(self, query, body, run_id, pod):
        if self.ui_only_logs:
            return 404, "<!doctype html><html>Not here</html>"
        if pod not in self.logs:  # status and all as the API server does it
            return 200, {"error_message": "pods not found", "error_details": "…"}
        return 200, self.logs[pod]

    def _ui_log(self, query, body):
        if query["podname"] not in self.logs or query["runid"] != "run-1":
            return 500, "Could not get main container logs: Error: pod not found"
        return 200, self.logs[query["podname"]]


@pytest.fixture
def kfp(workflow):
    stub = KfpStub(workflow)
    yield stub
    stub.close()
    assert not stub.problems


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    """Nothing of the developer's own: no host, no token, a home where kfp leaves nothing."""
    for name in ("KF_PIPELINES_ENDPOINT", "KFP_TOKEN", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "not-mounted"))
    monkeypatch.setattr(credentials, "_MOUNTED_NAMESPACE", tmp_path / "not-mounted")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    yield
    assert not (home / ".config" / "kfp").exists()


@pytest.fixture
def submit(kfp, package_file, capfd):
    """`submit(**options)` gives the exit code and what was printed."""

    def run(target=package_file, overrides=(), **options):
        options = {"host": kfp.host, "poll_seconds": 0.01, **options}
        code = submit_package(str(target), list(overrides), Options(**options))
        return code, capfd.readouterr().out

    return run
