"""Reads a package strictly: what a backend would ignore or trip over is an error with its place."""

import dataclasses
import graphlib
import re
from pathlib import Path
from typing import Any

from components.errors import UserError
from pipeline.kubeflow.package import backend_rules, pod_rules, schema
from pipeline.kubeflow.package.retries import RetryPolicy

SUFFIXES = (".yaml", ".yml")
"""Of the files that kfp and the user interface take for packages."""

_FORM_TYPES = {"STRING": str, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": (int, float)}


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a package.

    Attributes:
        name: of the task.
        executor: label of its executor.
        image: container image.
        command: of the container.
        args: of the container, with placeholders such as `{{$}}`.
        cached: whether an earlier run's outputs may be taken.
        retry_policy: how often and when it is tried again.
        dependencies: names of the tasks that must have ended.
        env: environment variables with literal values.
        resources: `ResourceSpec` as a mapping.
        platform: `KubernetesExecutorConfig` as a mapping.
    """

    name: str
    executor: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    cached: bool
    retry_policy: RetryPolicy
    dependencies: tuple[str, ...]
    env: dict[str, str]
    resources: dict[str, Any]
    platform: dict[str, Any]

    @property
    def retries(self) -> int:
        """How often it is tried again."""
        return self.retry_policy.count

    @property
    def gpu(self) -> str:
        """As `1 nvidia.com/gpu`; empty without one."""
        accelerator = self.resources.get("accelerator", {})
        count, kind = accelerator.get("resourceCount"), accelerator.get("resourceType")
        return f"{count} {kind}" if accelerator else ""


@dataclasses.dataclass(frozen=True)
class RunParameter:
    """One parameter of a run.

    Attributes:
        name: as in the form.
        type: STRING, NUMBER_INTEGER or NUMBER_DOUBLE.
        default: what holds if a run says nothing; None: every run must say.
    """

    name: str
    type: str
    default: str | int | float | None


@dataclasses.dataclass(frozen=True)
class Package:
    """A package that was read.

    Attributes:
        spec: document 1, the PipelineSpec as a mapping.
        platform: document 2, the PlatformSpec as a mapping; empty if there is none.
        name: of the pipeline.
        pipeline_root: default URI for artifacts; empty: the cluster's.
        steps: in an order in which they can run.
        parameters: of a run.
    """

    spec: dict[str, Any]
    platform: dict[str, Any]
    name: str
    pipeline_root: str
    steps: tuple[Step, ...]
    parameters: tuple[RunParameter, ...]


def is_package(path: Path) -> bool:
    """Whether a file is a package, whole or not, rather than a recipe.

    Raises:
        UserError: it is a package, but kfp and the user interface do not read files of that name.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return False  # and as a recipe it cannot be read either, which is said there
    keys = "pipelineInfo|pipelineSpec|deploymentSpec|schemaVersion|components"
    if not re.search(rf"^(?:{keys}):", text, re.MULTILINE):
        return False
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: rename the package so that its name ends in .yaml")
    return True


def load_package(path: Path) -> Package:
    """Reads a package.

    Args:
        path: a file that `graft compile` wrote.

    Raises:
        UserError: it is no package, or one that a backend would refuse or misread; the text names
            the file, the document and the place in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"there is no package {path}; `graft compile` makes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    try:
        return parse_package(text)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def parse_package(text: str) -> Package:
    """Reads the text of a package.

    Args:
        text: YAML of one or two documents.

    Raises:
        UserError: as `load_package`, without the file's name.
    """
    spec, platform = schema.read_documents(text)
    try:
        _check_references(spec, platform)
        backend_rules.check_accepted(spec)
        parameters = _parameters(spec)
    except UserError as error:
        raise UserError(f"document 1 (PipelineSpec): {error}") from error
    return Package(
        spec,
        platform,
        spec["pipelineInfo"]["name"],
        spec.get("defaultPipelineRoot", ""),
        _steps(spec, platform),
        parameters,
    )


def _executors(document: dict[str, Any]) -> dict[str, Any]:
    """Of either document, by label."""
    if "platforms" in document:
        document = document["platforms"]["kubernetes"]
    return document.get("deploymentSpec", {}).get("executors", {})


def _check_references(spec: dict[str, Any], platform: dict[str, Any]) -> None:
    """Stops at a name that leads nowhere."""
    if not spec.get("pipelineInfo", {}).get("name"):
        raise UserError("pipelineInfo.name is missing")
    root = spec.get("root", {})
    tasks, components = root.get("dag", {}).get("tasks", {}), spec.get("components", {})
    if not tasks:
        raise UserError("root.dag.tasks: there are no steps")
    labels = {_executor_of(name, task, components, spec) for name, task in tasks.items()}
    for name, task in tasks.items():
        _check_inputs(spec, name, task)
        policy = RetryPolicy.of_task(task)
        if policy.count and not policy.longest_s:
            raise UserError(
                f"root.dag.tasks.{name}.retryPolicy.backoffMaxDuration is missing or 0: backends "
                "from 2.14 on would never retry the step; write 2592000s"
            )
    configs = _executors(platform)
    for label in configs:
        if label not in labels:
            raise UserError(f"no step has the executor {label}, for which document 2 has a block")
    for label in sorted(labels):
        container = _executors(spec)[label].get("container", {})
        pod_rules.check_pod(label, container, configs.get(label, {}))


def _executor_of(
    name: str, task: dict[str, Any], components: dict[str, Any], spec: dict[str, Any]
) -> str:
    """The label of a step's executor, which has to be there."""
    component = task.get("componentRef", {}).get("name")
    _known(f"root.dag.tasks.{name}.componentRef.name", component, components)
    label = components[component].get("executorLabel")
    _known(f"components.{component}.executorLabel", label, _executors(spec))
    executor = _executors(spec)[label]
    if not executor or not executor.get("container", {"image": "-"}).get("image"):
        raise UserError(f"deploymentSpec.executors.{label}.container.image is missing")
    return label


def _check_inputs(spec: dict[str, Any], name: str, task: dict[str, Any]) -> None:
    root, components = spec["root"], spec["components"]
    tasks, form = root["dag"]["tasks"], root.get("inputDefinitions", {}).get("parameters", {})
    at, inputs = f"root.dag.tasks.{name}", task.get("inputs", {})
    for before in task.get("dependentTasks", ()):
        _known(f"{at}.dependentTasks", before, tasks)
    for key, value in inputs.get("parameters", {}).items():
        if "componentInputParameter" in value:
            at_key = f"{at}.inputs.parameters.{key}.componentInputParameter"
            _known(at_key, value["componentInputParameter"], form)
    for kind, output in (("artifacts", "Artifact"), ("parameters", "Parameter")):
        for key, value in inputs.get(kind, {}).items():
            if kind == "parameters" and f"taskOutput{output}" not in value:
                continue
            source = value.get(f"taskOutput{output}", {})
            at_key = f"{at}.inputs.{kind}.{key}.taskOutput{output}"
            producer = source.get("producerTask")
            _known(f"{at_key}.producerTask", producer, tasks)
            component = components[tasks[producer]["componentRef"]["name"]]
            outputs = component.get("outputDefinitions", {}).get(kind, {})
            _known(f"{at_key}.output{output}Key", source.get(f"output{output}Key"), outputs)
            if producer not in task.get("dependentTasks", ()):
                raise UserError(
                    f"{at}.dependentTasks: {producer} is missing, of which it takes {key}: "
                    "a backend waits for these alone"
                )


def _known(at: str, name: str | None, known: dict[str, Any]) -> None:
    if name not in known:
        raise UserError(f"{at}: there is no {name}; there are {', '.join(known) or 'none'}")


def _parameters(spec: dict[str, Any]) -> tuple[RunParameter, ...]:
    definitions = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    parameters = []
    for name, definition in definitions.items():
        at = f"root.inputDefinitions.parameters.{name}"
        kind, default = definition.get("parameterType"), definition.get("defaultValue")
        if kind not in _FORM_TYPES:
            raise UserError(
                f"{at}.parameterType: {kind} does not reach a step of TFX as what it is; use one "
                f"of {', '.join(_FORM_TYPES)}"
            )
        right = isinstance(default, _FORM_TYPES[kind]) and not isinstance(default, bool)
        if default is not None and not right:
            raise UserError(f"{at}.defaultValue: {default!r} is no {kind}")
        parameters.append(RunParameter(name, kind, default))
    return tuple(parameters)


def _steps(spec: dict[str, Any], platform: dict[str, Any]) -> tuple[Step, ...]:
    """The steps in an order in which they can run, the same for the same package."""
    tasks, components = spec["root"]["dag"]["tasks"], spec["components"]
    needs = {name: task.get("dependentTasks", ()) for name, task in tasks.items()}
    sorter = graphlib.TopologicalSorter(needs)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise UserError(
            f"document 1 (PipelineSpec): root.dag.tasks: {' needs '.join(error.args[1])}"
        ) from None
    steps = []
    while sorter.is_active():
        for name in sorted(sorter.get_ready()):
            label = components[tasks[name]["componentRef"]["name"]]["executorLabel"]
            container = _executors(spec)[label]["container"]
            steps.append(
                Step(
                    name=name,
                    executor=label,
                    image=container["image"],
                    command=tuple(container.get("command", ())),
                    args=tuple(container.get("args", ())),
                    cached=tasks[name].get("cachingOptions", {}).get("enableCache", False),
                    retry_policy=RetryPolicy.of_task(tasks[name]),
                    dependencies=tuple(sorted(needs[name])),
                    env={v["name"]: v.get("value", "") for v in container.get("env", ())},
                    resources=container.get("resources", {}),
                    platform=_executors(platform).get(label, {}),
                )
            )
            sorter.done(name)
    return tuple(steps)
