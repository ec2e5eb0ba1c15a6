"""The requests to Kubeflow Pipelines that Graft needs, one method each."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import kfp_server_api
import urllib3

from components.errors import UserError
from pipeline.kubeflow.client.connection import ApiError, Connection, NotKfpError
from pipeline.kubeflow.client.credentials import Token
from pipeline.kubeflow.package.documents import Package
from pipeline.yaml_documents import write_documents

_API = "/apis/v2beta1"
_TAIL_BYTES = 1 << 16


@dataclasses.dataclass(frozen=True)
class UploadedVersion:
    """A version of a named pipeline at the server.

    Attributes:
        pipeline_id: of the pipeline.
        version_id: of the version.
        name: of the version.
        new: whether it has just been uploaded.
    """

    pipeline_id: str
    version_id: str
    name: str
    new: bool

    @property
    def reference(self) -> dict[str, str]:
        """As a run names it."""
        return {"pipeline_id": self.pipeline_id, "pipeline_version_id": self.version_id}


@dataclasses.dataclass(frozen=True)
class Job:
    """What a run or a schedule is made of.

    Attributes:
        package: the package to run.
        name: display name of the run or schedule.
        arguments: values of run parameters; the others keep their defaults.
        pipeline_root: URI for the artifacts; None: the package's or the server's own.
        service_account: Kubernetes service account of the pods; None: the server's own.
        use_cache: False: every step runs; True: as the package says.
        version: an uploaded version that runs in place of the package itself.
    """

    package: Package
    name: str
    arguments: dict[str, str | int | float]
    pipeline_root: str | None = None
    service_account: str | None = None
    use_cache: bool = True
    version: UploadedVersion | None = None

    def body(self, experiment_id: str) -> dict[str, Any]:
        """The fields that V2beta1Run and V2beta1RecurringRun have in common, as JSON."""
        spec = self.package.spec
        if not self.use_cache:
            root = spec["root"]
            tasks = {
                name: {**task, "cachingOptions": {}} for name, task in root["dag"]["tasks"].items()
            }
            spec = {**spec, "root": {**root, "dag": {**root["dag"], "tasks": tasks}}}
        documents = {"pipeline_spec": spec, "platform_spec": self.package.platform}
        config: dict[str, Any] = {"parameters": self.arguments}
        if self.pipeline_root:
            config["pipeline_root"] = self.pipeline_root
        body = {
            "display_name": self.name,
            "experiment_id": experiment_id,
            "runtime_config": config,
        }
        if self.version:
            body["pipeline_version_reference"] = self.version.reference
        else:
            body["pipeline_spec"] = documents if self.package.platform else spec
        return {**body, "service_account": self.service_account} if self.service_account else body


class PipelinesApi:
    """Kubeflow Pipelines at one host."""

    def __init__(
        self,
        host: str,
        token: Token | None = None,
        ca_cert: Path | None = None,
        namespace: str | None = None,
    ):
        """Prepares the connection; `check` sends the first request.

        Args:
            host: http or https URL.
            token: returns the bearer token.
            ca_cert: PEM file, see `Connection`.
            namespace: of the user's runs, on a server with several users.
        """
        self._connection, self._namespace = Connection(host, token, ca_cert), namespace

    def check(self) -> None:
        """Asks whether the server is healthy, and whether it has several users.

        Raises:
            ApiError: no Kubeflow Pipelines answers at the host.
            UserError: it has several users, and no namespace was given.
        """
        health = self._connection.request("GET", f"{_API}/healthz")
        if not health.get("multi_user"):
            self._namespace = None  # it has one namespace, and takes no other
        elif not self._namespace:
            raise UserError(
                f"--namespace: {self._connection.host} has several users, so name the namespace "
                "of your runs"
            )

    def experiment(self, name: str) -> tuple[str, bool]:
        """Finds an experiment, or creates it.

        Returns:
            Its id, and whether it is new.
        """
        path, answer = f"{_API}/experiments", "V2beta1Experiment"
        query = {"filter": _named(name), "namespace": self._namespace}
        found = self._connection.request(
            "GET", path, query=query, answer="V2beta1ListExperimentsResponse"
        )
        if found.experiments:
            return self._id(found.experiments[0].experiment_id), False
        body = {"display_name": name}
        if self._namespace:
            body["namespace"] = self._namespace
        created = self._connection.request("POST", path, body=body, answer=answer)
        return self._id(created.experiment_id), True

    def upload(self, pipeline: str, version: str, package: Package) -> UploadedVersion:
        """Uploads a package as a version of a named pipeline, unless there is that version.

        Args:
            pipeline: name; made if there is none.
            version: name of the version; empty: the package's digest, so that the same package is
                the same version.
            package: what to upload.

        Raises:
            UserError: there is a version of the name that was asked for.
        """
        path, asked = f"{_API}/pipelines", version
        text = write_documents(filter(None, [package.spec, package.platform]))
        version = version or hashlib.sha256(text.encode()).hexdigest()[:12]
        found = self._connection.request(
            "GET",
            path,
            query={"filter": _named(pipeline, "name"), "namespace": self._namespace},
            answer="V2beta1ListPipelinesResponse",
        )
        if found.pipelines:
            pipeline_id = self._id(found.pipelines[0].pipeline_id)
            there = self._connection.request(
                "GET",
                f"{path}/{pipeline_id}/versions",
                query={"filter": _named(version, "name")},
                answer="V2beta1ListPipelineVersionsResponse",
            ).pipeline_versions
            if there and asked:
                raise UserError(
                    f"--pipeline-version {version}: pipeline {pipeline} has a version of that name "
                    "already; name another, or leave the option out to name it by its content"
                )
            if there:
                return UploadedVersion(
                    pipeline_id, self._id(there[0].pipeline_version_id), version, new=False
                )
        else:
            body = {"display_name": pipeline}
            if self._namespace:
                body["namespace"] = self._namespace
            made = self._connection.request("POST", path, body=body, answer="V2beta1Pipeline")
            pipeline_id = self._id(made.pipeline_id)
        uploaded = self._connection.request(
            "POST",
            f"{path}/upload_version",
            query={"name": version, "pipelineid": pipeline_id},
            file=("package.yaml", text),
            answer="V2beta1PipelineVersion",
        )
        return UploadedVersion(
            pipeline_id, self._id(uploaded.pipeline_version_id), version, new=True
        )

    def create_run(self, experiment_id: str, job: Job) -> str:
        """Starts a run.

        Returns:
            Its id.
        """
        run = self._connection.request(
            "POST", f"{_API}/runs", body=job.body(experiment_id), answer="V2beta1Run"
        )
        return self._id(run.run_id)

    def get_run(self, run_id: str) -> kfp_server_api.V2beta1Run:
        """The run with its state and those of its steps."""
        run = self._connection.request("GET", f"{_API}/runs/{run_id}", answer="V2beta1Run")
        self._id(run.run_id)
        return run

    def schedules(self, experiment_id: str, name: str) -> list[kfp_server_api.V2beta1RecurringRun]:
        """The schedules of an experiment that have this name."""
        answer = self._connection.request(
            "GET",
            f"{_API}/recurringruns",
            query={"experiment_id": experiment_id, "filter": _named(name), "page_size": 100},
            answer="V2beta1ListRecurringRunsResponse",
        )
        return answer.recurring_runs or []

    def create_schedule(self, experiment_id: str, job: Job, cron: str) -> str:
        """Creates a schedule of runs: one at a time, and none for times that have gone by.

        Args:
            experiment_id: experiment of the runs.
            job: what runs.
            cron: six fields, see `cron.six_fields`.

        Returns:
            The schedule's id.
        """
        body = {
            **job.body(experiment_id),
            "trigger": {"cron_schedule": {"cron": cron}},
            "mode": "ENABLE",
            "max_concurrency": 1,
            "no_catchup": True,
        }
        schedule = self._connection.request(
            "POST", f"{_API}/recurringruns", body=body, answer="V2beta1RecurringRun"
        )
        return self._id(schedule.recurring_run_id)

    def delete_schedule(self, schedule_id: str) -> None:
        """Deletes a schedule; its runs stay."""
        self._connection.request("DELETE", f"{_API}/recurringruns/{schedule_id}")

    def link(self, page: str) -> str:
        """URL of a page of the user interface, such as `runs/details/<id>`."""
        return f"{self._connection.host}/#/{page}"

    def log_tail(self, run_id: str, pod: str) -> str | None:
        """The end of a pod's log.

        Neither address is part of the documented API: the first is the API server's, the second is
        that of the server of the user interface, which hands on only the documented rest.

        Returns:
            At most 64 KiB of text; None if there is no such pod any more, or no way to its log.
        """
        query = {"podname": pod, "runid": run_id, "podnamespace": self._namespace}
        for path, options in (
            (f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log", None),
            ("/k8s/pod/logs", query),
        ):
            tail = b""
            try:
                for chunk in self._connection.stream(path, options).stream(_TAIL_BYTES):
                    tail = (tail + chunk)[-_TAIL_BYTES:]
            except (ApiError, urllib3.exceptions.HTTPError):
                continue
            text = tail.decode(errors="replace")
            # A server that finds no log says so with status 200, and a web page is no log.
            start = text.lstrip()[:20].lower()
            if start and not start.startswith(('{"error', "<!doctype", "<html")):
                return text
        return None

    def _id(self, given: str | None) -> str:
        """Every object has an id; what has none was read from something else."""
        if not given:
            raise NotKfpError(self._connection.host)
        return given


def _named(name: str, key: str = "display_name") -> str:
    """The API's filter for objects of this name, as JSON."""
    only = {"operation": "EQUALS", "key": key, "stringValue": name}
    return json.dumps({"predicates": [only]})
