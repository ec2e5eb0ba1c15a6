"""Runs a package on this machine under the rules of an open-source backend, step by step.

Every step gets what the backend's driver would hand it, a fresh folder as its pod, and its
container's own command line as a process of its own; what it reads is copied out of a folder that
stands in for the artifact store, what it leaves is copied back. Steps that fail are retried as the
package says, and what earlier rehearsals kept is taken from the cache as the backend would.

    <work>/pvc/<claim>/       persistent volume claims
    <work>/store/             the artifact store; only what is kept outlives a rehearsal
    <work>/store/executions/  the cache: what steps left whose artifacts were kept
    <work>/runs/<begun>/      logs, and the pods that are kept
"""

import copy
import dataclasses
import datetime
import json
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils

from components import destinations
from components.errors import UserError
from components.gates import Gate, failed, read_gates
from pipeline.kubeflow.emulator.executions import Execution, Executions
from pipeline.kubeflow.emulator.object_store import ObjectStore
from pipeline.kubeflow.emulator.order import shuffled
from pipeline.kubeflow.emulator.pod import (
    Pod,
    claim_mounts,
    claim_names,
    translate,
    translate_options,
)
from pipeline.kubeflow.package import backend_rules
from pipeline.kubeflow.package.artifact_paths import local_path
from pipeline.kubeflow.package.documents import Package, Step
from pipeline.kubeflow.step.executor_io import is_system
from pipeline.node_figures import summarize
from pipeline.node_ids import BASELINE_FINDER, BLESSINGS, DATA_VERDICT, PUSHER, VERDICT
from pipeline.run_result import Listener, NodeReport, RunError, RunResult

_TAIL_LINES = 20
_PLACEHOLDER = "{{$}}"


class StepError(RunError):
    """A step that failed; the text is its termination message.

    Attributes:
        log_file: of the step.
        tail: the last lines of it.
    """

    def __init__(self, message: str, log_file: Path):
        super().__init__(message)
        self.log_file = log_file
        lines = log_file.read_text("utf-8", errors="replace").splitlines()
        self.tail = "\n".join(lines[-_TAIL_LINES:])


@dataclasses.dataclass(frozen=True)
class RehearsalResult(RunResult):
    """How a rehearsal ended.

    Attributes:
        message: why the last step ended as failed; empty if no step did.
    """

    message: str = ""


class Rehearsal:
    """One run of a package.

    Attributes:
        folder: what this run leaves: `logs/`, and `pods/` while they are kept.
        destination: the folder on this machine that stands for that of the served versions, or
            their address in an object store.
    """

    def __init__(
        self,
        package: Package,
        work: Path,
        given: Mapping[str, Any],
        pipeline_root: str = "",
        *,
        use_cache: bool = True,
        order: int | None = None,
    ):
        """Checks what can be checked before anything runs.

        Args:
            package: what to run.
            work: folder for everything; `pvc/<claim>/` in it outlives the run.
            given: values of run parameters by name, see `parse_arguments`.
            pipeline_root: URI below which artifacts go; empty: the package's, else the backend's.
            use_cache: whether steps may be taken from earlier rehearsals, as the package says.
            order: seed of another order of steps than the package's.

        Raises:
            UserError: the backend would refuse the values, or what is pushed would be lost.
        """
        pipeline_root = (
            pipeline_root or package.pipeline_root or backend_rules.DEFAULT_PIPELINE_ROOT
        )
        local_path(pipeline_root)
        self._package = package
        self._parameters = backend_rules.run_parameter_values(package.spec, given)
        self._claims = work.absolute() / "pvc"
        begun = f"{datetime.datetime.now():%Y-%m-%dT%H-%M-%S}-{uuid.uuid4().hex[:6]}"
        self.folder = work.absolute() / "runs" / begun
        self._run_root = f"{pipeline_root.rstrip('/')}/{package.name}/{begun}"
        self._steps = package.steps if order is None else shuffled(package.steps, order)
        self._use_cache = use_cache
        self._store = ObjectStore(work.absolute() / "store")
        self._executions = Executions(work.absolute() / "store" / "executions")
        self._known: backend_rules.Artifacts = {}
        self._handed_on: backend_rules.OutputParameters = {}
        self.destination = self._find_destination()

    def run(self, listener: Listener, keep: bool = False) -> RehearsalResult:
        """Runs the steps, one after the other, up to the first that fails.

        Args:
            listener: told about every step.
            keep: leave artifacts and pods behind; later rehearsals take steps from what is kept.

        Raises:
            StepError: a step failed for another reason than a gate that said no.
            RunError: the backend would refuse what a step wrote.
        """
        for name in ("logs", "pods"):
            (self.folder / name).mkdir(parents=True)
        listener.run_started([step.name for step in self._steps])
        try:
            for number, step in enumerate(self._steps, start=1):
                listener.node_started(step.name)
                start = time.monotonic()
                try:
                    execution, cached = self._execute(number, step, listener, keep)
                except StepError as error:
                    if step.name in (DATA_VERDICT, VERDICT) and failed(self._gates()):
                        return RehearsalResult(self._gates(), "", "", message=str(error))
                    raise
                for key, record in execution.records.items():
                    self._known[step.name, key] = record
                for key, value in execution.values.items():
                    self._handed_on[step.name, key] = value
                report = NodeReport(
                    step.name,
                    seconds=time.monotonic() - start,
                    cached=cached,
                    summary=summarize(step.name, self._artifacts(execution.artifacts)),
                )
                listener.node_finished(report)
            return self._conclude()
        finally:
            if not keep:
                shutil.rmtree(self._store.path(self._run_root), ignore_errors=True)
                shutil.rmtree(self.folder / "pods", ignore_errors=True)

    def _execute(
        self, number: int, step: Step, listener: Listener, keep: bool
    ) -> tuple[Execution, bool]:
        """What a step left, now or in an earlier rehearsal; and whether it was the latter."""
        task_root = f"{self._run_root}/{step.name}/{uuid.uuid4()}"
        spec = self._package.spec
        handed = backend_rules.executor_input(
            spec, step.name, self._parameters, self._known, task_root, self._handed_on
        )
        key = ""
        if step.cached and self._use_cache:
            container = spec["deploymentSpec"]["executors"][step.executor]["container"]
            claims = claim_names(step.platform)
            key = backend_rules.cache_key(spec, step.name, handed, container, claims)
            if earlier := self._executions.find(key):
                return earlier, True
        handed["outputs"]["outputFile"] = f"{local_path(task_root)}/output_metadata.json"
        execution = self._run_with_retries(number, step, handed, listener, keep)
        if key and keep:
            self._executions.add(key, execution)
        return execution, False

    def _run_with_retries(
        self, number: int, step: Step, handed: dict[str, Any], listener: Listener, keep: bool
    ) -> Execution:
        name = f"{number:02d}-{step.name}"
        # Every attempt finds the paths of the first, as in a cluster: a training goes on by them.
        pod_folder = self.folder / "pods" / name
        attempts, elapsed_s = 0, 0.0
        while True:
            attempts += 1
            log_name = name if attempts == 1 else f"{name}-{attempts}"
            start = time.monotonic()
            try:
                return self._run_step(log_name, pod_folder, step, copy.deepcopy(handed))
            except StepError as error:
                elapsed_s += time.monotonic() - start
                wait_s = step.retry_policy.wait_s(attempts, elapsed_s)
                if wait_s is None:
                    raise
                elapsed_s += wait_s  # it is not waited for here
                listener.noticed(
                    f"{error}. Retry {attempts} of {step.retries}, at once; in a cluster after "
                    f"{wait_s:g} s"
                )
                if keep:
                    pod_folder.rename(pod_folder.with_name(f"{name}-failed-{attempts}"))
            finally:
                if not keep:
                    shutil.rmtree(pod_folder, ignore_errors=True)

    def _run_step(
        self, log_name: str, pod_folder: Path, step: Step, handed: dict[str, Any]
    ) -> Execution:
        """One attempt, in a pod of its own; the driver's work is not done again for a retry."""
        pod = Pod(pod_folder, step.platform, self._claims)
        inputs = handed["inputs"]
        inputs["parameterValues"] = translate(inputs["parameterValues"], pod.claims)
        for entry in inputs["artifacts"].values():
            for artifact in entry["artifacts"]:
                self._store.download(artifact["uri"], _in_pod(pod, artifact["uri"]))
        for entry in handed["outputs"]["artifacts"].values():
            for artifact in entry["artifacts"]:
                _in_pod(pod, artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(handed)
        words = translate_options((*step.command, *step.args), pod.claims)
        command = [word.replace(_PLACEHOLDER, text) for word in words]
        log_file = self.folder / "logs" / f"{log_name}.log"
        # A pod sees the GPUs that it asked for, and only these.
        hidden = {} if "accelerator" in step.resources else {"CUDA_VISIBLE_DEVICES": "-1"}
        deadline = step.platform.get("activeDeadlineSeconds")
        code = pod.run(command, {**step.env, **hidden}, log_file, deadline)
        if code:
            how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
            reason = f": {pod.message}" if pod.message else ""
            raise StepError(f"{step.name} {how}{reason}", log_file)
        return self._take_over(step, handed, pod)

    def _take_over(self, step: Step, handed: dict[str, Any], pod: Pod) -> Execution:
        """Uploads what a step left and puts its outputs on record."""
        output_file = Path(f"{pod.folder}{handed['outputs']['outputFile']}")
        written = json.loads(output_file.read_text("utf-8")) if output_file.exists() else {}
        outputs, records = backend_rules.merge(handed, written), {}
        try:
            json_format.ParseDict(written, pipeline_spec_pb2.ExecutorOutput())
            handed_on = backend_rules.output_parameters(self._package.spec, step.name, written)
            for key, artifact in outputs.items():
                self._store.upload(_in_pod(pod, artifact["uri"]), artifact["uri"])
                records[key] = backend_rules.record(key, artifact, _new_number())
        except (json_format.ParseError, ValueError) as error:
            raise RunError(f"{step.name}: the backend refuses its output: {error}") from error
        return Execution(outputs, records, {key: value for (_, key), value in handed_on.items()})

    def _artifacts(self, outputs: dict[str, Any]) -> dict[str, list]:
        """TFX's artifacts of a step's outputs, with the paths of the files in the store."""
        entries = {
            key: {"artifacts": [{**artifact, "uri": str(self._store.path(artifact["uri"]))}]}
            for key, artifact in outputs.items()
            if not is_system({"artifacts": [artifact]})
        }
        parsed = json_format.ParseDict(
            {"artifacts": entries}, pipeline_spec_pb2.ExecutorInput.Outputs()
        )
        return kubeflow_v2_entrypoint_utils.parse_raw_artifact_dict(parsed.artifacts)

    def _conclude(self) -> RehearsalResult:
        pushed = self._known[PUSHER, "pushed_model"]["metadata"]
        return RehearsalResult(
            gates=self._gates(),
            pushed_path=pushed.get("pushed_destination", ""),
            already_served=pushed.get("already_served", ""),
        )

    def _gates(self) -> list[Gate]:
        """The rows of all gates that have been asked."""
        return [
            gate
            for output in BLESSINGS.items()
            if output in self._known
            for gate in read_gates(self._store.path(self._known[output]["uri"]), output[0])
        ]

    def _find_destination(self) -> Path | str:
        """Where the served versions are, which must outlive the pods."""
        steps = {step.name: step for step in self._package.steps}
        given = self._parameters.get("push_destination")
        wanted = (BASELINE_FINDER, PUSHER)
        if given is None or not steps.keys() >= {*wanted}:
            raise UserError(f"{self._package.name} is no package of `graft compile`")
        if destinations.is_bucket(given):
            return given
        for name in wanted:
            folder = translate(given, claim_mounts(steps[name].platform, self._claims))
            if folder == given:
                raise UserError(
                    f"push_destination {given} is on no volume of {name}: what is pushed there is "
                    "gone with the pod; push to a folder on a claim (kubeflow.pvcs), or to s3://BUCKET/FOLDER"
                )
        return Path(folder)


def _new_number() -> int:
    """Of an artifact in the metadata store: no other artifact, also of other runs, has it."""
    return uuid.uuid4().int >> 80


def _in_pod(pod: Pod, uri: str) -> Path:
    return Path(local_path(uri, str(pod.folder)))
