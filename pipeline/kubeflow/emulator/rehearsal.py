"""Runs a package on this machine under the rules of an open-source backend, step by step.

Every step gets what the backend's driver would hand it, a fresh folder as its pod, and its
container's own command line as a process of its own; what it reads is copied out of a folder that
stands in for the artifact store, what it leaves is copied back.
"""

import dataclasses
import datetime
import itertools
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

from components.errors import UserError
from components.gates import Gate, failed, read_gates
from pipeline.kubeflow.emulator.object_store import ObjectStore
from pipeline.kubeflow.emulator.pod import Pod, claim_mounts, translate
from pipeline.kubeflow.package import backend_rules
from pipeline.kubeflow.package.artifact_paths import local_path
from pipeline.kubeflow.package.documents import Package, Step
from pipeline.node_figures import summarize
from pipeline.node_ids import BASELINE_FINDER, EVALUATOR, PUSHER, SERVING_GATE
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
        folder: what this run leaves: `logs/`, and `store/` and `pods/` while they are kept.
        destination: the folder on this machine that stands for that of the served versions.
    """

    def __init__(
        self,
        package: Package,
        work: Path,
        given: Mapping[str, Any],
        pipeline_root: str = "",
    ):
        """Checks what can be checked before anything runs.

        Args:
            package: what to run.
            work: folder for everything; `pvc/<claim>/` in it outlives the run.
            given: values of run parameters by name, see `parse_arguments`.
            pipeline_root: URI below which artifacts go; empty: the package's, else the backend's.

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
        self._store = ObjectStore(self.folder / "store")
        self._known: backend_rules.Artifacts = {}
        self._numbers = itertools.count(1)
        self.destination = self._find_destination()

    def run(self, listener: Listener, keep: bool = False) -> RehearsalResult:
        """Runs the steps, one after the other, up to the first that fails.

        Args:
            listener: told about every step.
            keep: leave `store/` and `pods/` behind.

        Raises:
            StepError: a step failed for another reason than a gate that said no.
            RunError: the backend would refuse what a step wrote.
        """
        for name in ("logs", "pods", "store"):
            (self.folder / name).mkdir(parents=True)
        listener.run_started([step.name for step in self._package.steps])
        try:
            for number, step in enumerate(self._package.steps, start=1):
                listener.node_started(step.name)
                start = time.monotonic()
                try:
                    outputs = self._run_step(number, step)
                except StepError as error:
                    if step.name == PUSHER and failed(self._gates()):
                        return RehearsalResult(self._gates(), "", "", message=str(error))
                    raise
                finally:
                    if not keep:
                        shutil.rmtree(self._pod_folder(number, step), ignore_errors=True)
                report = NodeReport(
                    step.name,
                    seconds=time.monotonic() - start,
                    cached=False,
                    summary=summarize(step.name, self._artifacts(outputs)),
                )
                listener.node_finished(report)
            return self._conclude()
        finally:
            if not keep:
                shutil.rmtree(self.folder / "store", ignore_errors=True)
                shutil.rmtree(self.folder / "pods", ignore_errors=True)

    def _run_step(self, number: int, step: Step) -> dict[str, Any]:
        task_root = f"{self._run_root}/{step.name}/{uuid.uuid4()}"
        handed = backend_rules.executor_input(
            self._package.spec, step.name, self._parameters, self._known, task_root
        )
        handed["outputs"]["outputFile"] = f"{local_path(task_root)}/output_metadata.json"
        pod = Pod(self._pod_folder(number, step), step.platform, self._claims)
        inputs = handed["inputs"]
        inputs["parameterValues"] = translate(inputs["parameterValues"], pod.claims)
        for entry in inputs["artifacts"].values():
            for artifact in entry["artifacts"]:
                self._store.download(artifact["uri"], _in_pod(pod, artifact["uri"]))
        for entry in handed["outputs"]["artifacts"].values():
            for artifact in entry["artifacts"]:
                _in_pod(pod, artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(handed)
        command = [word.replace(_PLACEHOLDER, text) for word in (*step.command, *step.args)]
        log_file = self.folder / "logs" / f"{number:02d}-{step.name}.log"
        # A pod sees the GPUs that it asked for, and only these.
        hidden = {} if "accelerator" in step.resources else {"CUDA_VISIBLE_DEVICES": "-1"}
        deadline = step.platform.get("activeDeadlineSeconds")
        code = pod.run(command, {**step.env, **hidden}, log_file, deadline)
        if code:
            how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
            reason = f": {pod.message}" if pod.message else ""
            raise StepError(f"{step.name} {how}{reason}", log_file)
        return self._take_over(step, handed, pod)

    def _take_over(self, step: Step, handed: dict[str, Any], pod: Pod) -> dict[str, Any]:
        """Uploads what a step left and puts its outputs on record."""
        output_file = Path(f"{pod.folder}{handed['outputs']['outputFile']}")
        written = json.loads(output_file.read_text("utf-8")) if output_file.exists() else {}
        outputs = backend_rules.merge(handed, written)
        try:
            json_format.ParseDict(written, pipeline_spec_pb2.ExecutorOutput())
            for key, artifact in outputs.items():
                self._store.upload(_in_pod(pod, artifact["uri"]), artifact["uri"])
                stored = backend_rules.record(key, artifact, next(self._numbers))
                self._known[step.name, key] = stored
        except (json_format.ParseError, ValueError) as error:
            raise RunError(f"{step.name}: the backend refuses its output: {error}") from error
        return outputs

    def _artifacts(self, outputs: dict[str, Any]) -> dict[str, list]:
        """TFX's artifacts of a step's outputs, with the paths of the files in the store."""
        entries = {
            key: {"artifacts": [{**artifact, "uri": str(self._store.path(artifact["uri"]))}]}
            for key, artifact in outputs.items()
        }
        parsed = json_format.ParseDict(
            {"artifacts": entries}, pipeline_spec_pb2.ExecutorInput.Outputs()
        )
        return kubeflow_v2_entrypoint_utils.parse_raw_artifact_dict(parsed.artifacts)

    def _conclude(self) -> RehearsalResult:
        pushed = self._known[PUSHER, "pushed_model"]["metadata"]
        return RehearsalResult(
            gates=[*self._gates(), *self._gates_of(PUSHER, "pushed_model")],
            pushed_path=pushed.get("pushed_destination", ""),
            already_served=pushed.get("already_served", ""),
        )

    def _gates(self) -> list[Gate]:
        blessings = (EVALUATOR, "blessing"), (SERVING_GATE, "infra_blessing")
        return [gate for output in blessings for gate in self._gates_of(*output)]

    def _gates_of(self, step: str, output: str) -> list[Gate]:
        return read_gates(self._store.path(self._known[step, output]["uri"]))

    def _find_destination(self) -> Path:
        """The folder of the served versions, which must outlive the pods."""
        steps = {step.name: step for step in self._package.steps}
        given = self._parameters.get("push_destination")
        for name in (BASELINE_FINDER, PUSHER):
            if name not in steps or given is None:
                raise UserError(f"{self._package.name} is no package of `graft compile`")
            folder = translate(given, claim_mounts(steps[name].platform, self._claims))
            if folder == given:
                raise UserError(
                    f"push_destination {given} is on no volume of {name}: what is pushed there is "
                    "gone with the pod; push to a folder on a claim (kubeflow.pvcs)"
                )
        return Path(folder)

    def _pod_folder(self, number: int, step: Step) -> Path:
        return self.folder / "pods" / f"{number:02d}-{step.name}"


def _in_pod(pod: Pod, uri: str) -> Path:
    return Path(local_path(uri, str(pod.folder)))
