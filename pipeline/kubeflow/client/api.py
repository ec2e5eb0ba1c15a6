"""Kubeflow Pipelines at one host: what Graft asks of its API."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kfp_server_api
import urllib3

from pipeline.kubeflow.client.credentials import Token
from pipeline.kubeflow.client.kfp_client import NOT_KFP, ApiError, Client

_TAIL_BYTES = 1 << 16


@dataclasses.dataclass(frozen=True)
class Job:
    """What a run or a schedule is made of.

    Attributes:
        package: file with the package.
        name: of the run or schedule.
        arguments: values of run parameters; the others keep their defaults.
        pipeline_root: URI for the artifacts; None: the package's or the server's own.
        service_account: of Kubernetes, for the pods; None: the server's own.
        use_cache: False: every step runs; True: as the package says.
    """

    package: Path
    name: str
    arguments: dict[str, str | int | float]
    pipeline_root: str | None = None
    service_account: str | None = None
    use_cache: bool = True

    def for_kfp(self) -> dict[str, Any]:
        """The arguments that `run_pipeline` and `create_recurring_run` of kfp's client share."""
        return {
            "job_name": self.name,
            "pipeline_package_path": str(self.package),
            "params": self.arguments,
            "pipeline_root": self.pipeline_root,
            "service_account": self.service_account,
            "enable_caching": None if self.use_cache else False,
        }


class PipelinesApi:
    """Kubeflow Pipelines at one host."""

    def __init__(
        self,
        host: str,
        token: Token | None = None,
        ca_cert: Path | None = None,
        namespace: str | None = None,
    ):
        """Asks nothing yet.

        Args:
            host: http or https URL.
            token: gives the bearer token.
            ca_cert: PEM file, see `Client`.
            namespace: of the user's runs, where there are several users.
        """
        self._client, self._namespace = Client(host, token, ca_cert), namespace
        self._host, self._rest = host, self._client.rest

    def check(self) -> None:
        """Asks for a sign of life, and whether there are several users.

        Raises:
            ApiError: there is no Kubeflow Pipelines at the host that answers us.
        """
        health = self._ask(
            self._rest.call_api,
            "/apis/v2beta1/healthz",
            "GET",
            response_type="object",
            auth_settings=["Bearer"],
            _return_http_data_only=True,
        )
        if not isinstance(health, dict):
            raise ApiError(f"{self._host} {NOT_KFP}")
        if not health.get("multi_user"):
            self._namespace = None  # it has one namespace, and takes no other
        elif not self._namespace:
            raise ApiError(
                f"--namespace: {self._host} has several users, so name the namespace of your runs"
            )

    def experiment(self, name: str) -> tuple[str, bool]:
        """Finds an experiment, or makes it.

        Returns:
            Its id, and whether it is new.
        """
        try:
            found = self._ask(
                self._client.get_experiment, experiment_name=name, namespace=self._namespace
            )
            return found.experiment_id, False
        except ValueError as error:
            if not str(error).startswith("No experiment is found"):  # kfp's way to say so
                raise
            made = self._ask(self._client.create_experiment, name, namespace=self._namespace)
        return self._id(made.experiment_id), True

    def create_run(self, experiment_id: str, job: Job) -> str:
        """Starts a run.

        Returns:
            Its id.
        """
        run = self._ask(self._client.run_pipeline, experiment_id, **job.for_kfp())
        return self._id(run.run_id)

    def get_run(self, run_id: str) -> kfp_server_api.V2beta1Run:
        """How a run goes."""
        run = self._ask(self._client.get_run, run_id)
        self._id(run.run_id)
        return run

    def schedules(self, experiment_id: str, name: str) -> list[kfp_server_api.V2beta1RecurringRun]:
        """The schedules of an experiment that have this name."""
        only = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        answer = self._ask(
            self._client.list_recurring_runs,
            experiment_id=experiment_id,
            filter=json.dumps({"predicates": [only]}),
            page_size=100,
        )
        return answer.recurring_runs or []

    def create_schedule(self, experiment_id: str, job: Job, cron: str) -> str:
        """Starts a run by the clock: one at a time, and none for a time that has gone by.

        Args:
            experiment_id: of the runs.
            job: what they are.
            cron: six fields, see `cron.six_fields`.

        Returns:
            The schedule's id.
        """
        schedule = self._ask(
            self._client.create_recurring_run,
            experiment_id,
            cron_expression=cron,
            max_concurrency=1,
            no_catchup=True,
            **job.for_kfp(),
        )
        return self._id(schedule.recurring_run_id)

    def delete_schedule(self, schedule_id: str) -> None:
        """Ends a schedule; its runs stay."""
        self._ask(self._client.delete_recurring_run, schedule_id)

    def link(self, page: str) -> str:
        """Where a page of the user interface is, such as `runs/details/<id>`."""
        return f"{self._client._get_url_prefix()}/#/{page}"

    def log_tail(self, run_id: str, pod: str) -> str | None:
        """The end of what a pod wrote.

        Neither address is part of the documented API: the first is the API server's, the second is
        that of the server of the user interface, which hands on only the documented rest.

        Returns:
            At most 64 KiB of text; None if there is no such pod any more, or no way to its log.
        """
        addresses = (
            (f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log", []),
            ("/k8s/pod/logs", self._log_query(run_id, pod)),
        )
        for path, query in addresses:
            try:
                answer = self._ask(
                    self._rest.call_api,
                    path,
                    "GET",
                    query_params=query,
                    auth_settings=["Bearer"],
                    _preload_content=False,
                    _return_http_data_only=True,
                )
            except ApiError:
                continue
            tail = b""
            try:
                for chunk in answer.stream(_TAIL_BYTES):
                    tail = (tail + chunk)[-_TAIL_BYTES:]
            except urllib3.exceptions.HTTPError:
                continue
            text = tail.decode(errors="replace")
            # A server that finds no log says so with status 200, and a web page is no log.
            if text.strip() and not text.lstrip().startswith(('{"error', "<!doctype", "<html")):
                return text
        return None

    def _log_query(self, run_id: str, pod: str) -> list[tuple[str, str]]:
        query = [("podname", pod), ("runid", run_id)]
        return [*query, ("podnamespace", self._namespace)] if self._namespace else query

    def _ask(self, call: Callable, *args, **options) -> Any:
        try:
            return call(*args, **options)
        except kfp_server_api.ApiException as error:
            raise self._client.explain(error) from error

    def _id(self, given: str | None) -> str:
        """Every object has an id; what has none was read from something else."""
        if not given:
            raise ApiError(f"{self._host} {NOT_KFP}")
        return given
