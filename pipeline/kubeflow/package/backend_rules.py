"""The rules of an open-source Kubeflow Pipelines backend, as far as a step can see them.

Taken from the backend's source (2.5 to 2.17): what its API server refuses, what its driver hands a
step, and what its metadata store makes of what a step hands back. Plain mappings in, plain mappings
out; the JSON forms of the protos `PipelineSpec`, `ExecutorInput` and `ExecutorOutput`.
"""

import copy
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from components.errors import UserError

SPEC_VERSION = "2.1.0"
DEFAULT_PIPELINE_ROOT = "minio://mlpipeline/v2/artifacts"

_NUMBERS = ("NUMBER_INTEGER", "NUMBER_DOUBLE")
# Name and type of the output that the driver adds to those of the component.
_LOG_OUTPUT = ("executor-logs", {"schemaTitle": "system.Artifact"})

Artifacts = dict[tuple[str, str], dict[str, Any]]
"""What the metadata store knows: RuntimeArtifact by task and output key."""

OutputParameters = dict[tuple[str, str], Any]
"""What it knows beside them: the value of an output parameter by task and key."""


def check_accepted(spec: Mapping[str, Any]) -> None:
    """Refuses what the API server and the compiler to Argo refuse.

    Args:
        spec: a PipelineSpec.

    Raises:
        UserError: with the backend's reason.
    """
    if spec.get("schemaVersion") != SPEC_VERSION:
        raise UserError(
            f"the backend takes schema version {SPEC_VERSION} only, the package has "
            f"{spec.get('schemaVersion')}"
        )
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    for name, task in spec["root"]["dag"]["tasks"].items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", name):
            raise UserError(f"task {name}: Argo takes letters, digits and `-` only")
        label = spec["components"][task["componentRef"]["name"]].get("executorLabel")
        kinds = sorted(set(executors.get(label, {})) - {"container"})
        if kinds or label not in executors:
            kind = kinds[0] if kinds else "missing"
            raise UserError(f"task {name}: {kind} executors are not implemented by the backend")
        if task.get("triggerPolicy", {}).get("condition"):
            raise UserError(f"task {name}: has a condition (triggerPolicy); Graft evaluates none")


def run_parameter_values(spec: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a run: what was given, and the defaults of the rest.

    Args:
        spec: a PipelineSpec.
        given: values by name.

    Raises:
        UserError: a name that the package does not have, or a parameter with neither value nor
            default.
    """
    definitions = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name in given:
        if name not in definitions:
            known = ", ".join(definitions) or "none"
            raise UserError(f"the package has no run parameter {name} (it has: {known})")
    values = {}
    for name, definition in definitions.items():
        if name in given:
            values[name] = given[name]
        elif "defaultValue" in definition:
            values[name] = definition["defaultValue"]
        elif not definition.get("isOptional"):
            raise UserError(f"run parameter {name} has no default: it must be given")
    return values


def executor_input(
    spec: Mapping[str, Any],
    task_name: str,
    parameters: Mapping[str, Any],
    known: Artifacts,
    task_root: str,
    handed_on: OutputParameters | None = None,
) -> dict[str, Any]:
    """What the driver hands a step.

    Args:
        spec: a PipelineSpec.
        task_name: the step.
        parameters: of the run.
        known: the outputs of earlier steps.
        task_root: URI below which the step's outputs go.
        handed_on: the output parameters of earlier steps.

    Returns:
        An ExecutorInput without its output file.

    Raises:
        UserError: a parameter without value, or of another type than the component's.
    """
    task = spec["root"]["dag"]["tasks"][task_name]
    component = spec["components"][task["componentRef"]["name"]]
    inputs = task.get("inputs", {})
    outputs = {
        key: {"type": artifact["artifactType"], **_subset(artifact, "metadata")}
        for key, artifact in component.get("outputDefinitions", {}).get("artifacts", {}).items()
    }
    outputs[_LOG_OUTPUT[0]] = {"type": _LOG_OUTPUT[1]}
    definitions = component.get("inputDefinitions", {}).get("parameters", {})
    sources = parameters, handed_on or {}
    return {
        "inputs": {
            "parameterValues": _task_parameters(task_name, inputs, definitions, *sources),
            "artifacts": {
                key: {"artifacts": [_upstream(task_name, source, known)]}
                for key, source in inputs.get("artifacts", {}).items()
            },
        },
        "outputs": {
            "artifacts": {
                key: {"artifacts": [{"name": key, "uri": f"{task_root}/{key}", **artifact}]}
                for key, artifact in copy.deepcopy(outputs).items()
            },
            "parameters": {
                key: {"outputFile": f"/tmp/kfp/outputs/{key}"}  # noqa: S108
                for key in _output_parameters(component)
            },
        },
    }


def cache_key(
    spec: Mapping[str, Any],
    task_name: str,
    given: Mapping[str, Any],
    container: Mapping[str, Any],
    claims: Iterable[str],
) -> str:
    """What the backend looks an earlier execution up by (`cacheutils.GenerateCacheKey`).

    It sees artifacts by their numbers in the metadata store, not by their content. Environment
    variables are left out: backends to 2.17 do not look at them.

    Args:
        spec: a PipelineSpec.
        task_name: the step.
        given: its ExecutorInput, without local paths.
        container: its `PipelineContainerSpec`.
        claims: names of the persistent volume claims that it mounts.

    Returns:
        SHA-256, hexadecimal.
    """
    component = spec["components"][spec["root"]["dag"]["tasks"][task_name]["componentRef"]["name"]]
    key = {
        "pipelineName": f"pipeline/{spec['pipelineInfo']['name']}",
        "inputArtifactNames": {
            name: [artifact["name"] for artifact in entry["artifacts"]]
            for name, entry in given["inputs"]["artifacts"].items()
        },
        "inputParameterValues": given["inputs"]["parameterValues"],
        "outputArtifactsSpec": {
            name: {k: v for k, v in entry["artifacts"][0].items() if k != "uri"}
            for name, entry in given["outputs"]["artifacts"].items()
        },
        "outputParametersSpec": {
            name: definition["parameterType"]
            for name, definition in _output_parameters(component).items()
        },
        "image": container.get("image", ""),
        "cmdArgs": [*container.get("command", ()), *container.get("args", ())],
        "pvcNames": sorted(set(claims)),
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def merge(given: Mapping[str, Any], executor_output: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a step: as the driver laid them out, changed by what the step wrote.

    Args:
        given: the ExecutorInput.
        executor_output: of the step; empty if it wrote none.

    Returns:
        RuntimeArtifact by output key, without the log.
    """
    merged = {}
    for key, entry in given["outputs"]["artifacts"].items():
        if key == _LOG_OUTPUT[0]:
            continue
        artifact = copy.deepcopy(entry["artifacts"][0])
        written = executor_output.get("artifacts", {}).get(key, {}).get("artifacts", [])
        if written:
            artifact["uri"] = written[0].get("uri") or artifact["uri"]
            artifact["metadata"] = {
                **artifact.get("metadata", {}),
                **written[0].get("metadata", {}),
            }
        merged[key] = artifact
    return merged


def output_parameters(
    spec: Mapping[str, Any], task_name: str, executor_output: Mapping[str, Any]
) -> OutputParameters:
    """The output parameters of a step, as later ones get them.

    Args:
        spec: a PipelineSpec.
        task_name: the step.
        executor_output: of the step; the backend also takes files, which no step of Graft writes.

    Raises:
        UserError: the step did not write one that it has.
    """
    component = spec["components"][spec["root"]["dag"]["tasks"][task_name]["componentRef"]["name"]]
    written = executor_output.get("parameterValues", {})
    for key in _output_parameters(component):
        if key not in written:
            raise UserError(f"output parameter {key} was not written")
    return {(task_name, key): written[key] for key in _output_parameters(component)}


def record(key: str, artifact: Mapping[str, Any], number: int) -> dict[str, Any]:
    """What the metadata store makes of an artifact: the form in which consumers get it.

    Args:
        key: of the output.
        artifact: what the step handed back.
        number: of the artifact in the store.

    Returns:
        The artifact without its type, its metadata as the store's numbers, strings and structs.

    Raises:
        UserError: metadata that the store cannot keep, such as null.
    """
    metadata = {
        name: _stored(f"{key}.{name}", v) for name, v in artifact.get("metadata", {}).items()
    }
    return {
        "name": str(number),
        "uri": artifact["uri"],
        "type": {"instanceSchema": ""},
        "metadata": {"display_name": key, "store_session_info": "null", **metadata},
    }


def _task_parameters(
    task_name: str,
    inputs: Mapping[str, Any],
    definitions: Mapping[str, Any],
    parameters: Mapping[str, Any],
    handed_on: OutputParameters,
) -> dict[str, Any]:
    values = {}
    for name, source in inputs.get("parameters", {}).items():
        if "componentInputParameter" in source:
            wanted = source["componentInputParameter"]
            if wanted not in parameters:
                raise UserError(f"{task_name}: the run has no parameter {wanted}")
            values[name] = parameters[wanted]
        elif "constant" in source.get("runtimeValue", {}):
            values[name] = source["runtimeValue"]["constant"]
        elif "taskOutputParameter" in source:
            output = source["taskOutputParameter"]
            key = output["producerTask"], output["outputParameterKey"]
            if key not in handed_on:
                raise UserError(f"{task_name}: {key[0]} has no output parameter {key[1]}")
            values[name] = handed_on[key]
        else:
            raise UserError(f"{task_name}: parameter {name} comes from {', '.join(source)}")
    for name, definition in definitions.items():
        if name in values:
            values[name] = _converted(f"{task_name}: parameter {name}", definition, values[name])
        elif "defaultValue" in definition:
            values[name] = definition["defaultValue"]
        elif not definition.get("isOptional"):
            raise UserError(f"{task_name}: neither value nor default for parameter {name}")
    return values


def _converted(what: str, definition: Mapping[str, Any], value: Any) -> Any:
    """Every value may become a string; there is no other conversion."""
    kind = definition["parameterType"]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "STRING":
        return value if isinstance(value, str) else json.dumps(value)
    if value is None or (kind in _NUMBERS) != is_number:
        raise UserError(f"{what}: type mismatch: expect {kind}, got {json.dumps(value)}")
    return value


def _output_parameters(component: Mapping[str, Any]) -> Mapping[str, Any]:
    return component.get("outputDefinitions", {}).get("parameters", {})


def _upstream(task_name: str, source: Mapping[str, Any], known: Artifacts) -> dict[str, Any]:
    output = source["taskOutputArtifact"]
    key = output["producerTask"], output["outputArtifactKey"]
    if key not in known:
        raise UserError(f"{task_name}: {key[0]} has no output {key[1]}")
    return copy.deepcopy(known[key])


def _stored(what: str, value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list):
        return {"list": value}
    if isinstance(value, dict):
        return {"struct": value}
    if isinstance(value, int | float | str):
        return value
    raise UserError(f"metadata {what}: the metadata store takes no {json.dumps(value)}")


def _subset(mapping: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: mapping[key] for key in keys if key in mapping}
