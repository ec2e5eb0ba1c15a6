"""What stands between an open-source backend and TFX's container entrypoint, as plain mappings.

`for_tfx` turns the ExecutorInput of the backend's driver into what TFX expects; `for_backend` turns
the ExecutorOutput of TFX into what the backend's launcher expects.
"""

import copy
from collections.abc import Iterator
from typing import Any

from components.errors import UserError
from pipeline.kubeflow.package import report_outputs
from pipeline.kubeflow.package.artifact_paths import local_path

# The backend's own output, into which it copies the step's log.
_LOG_ARTIFACT = "executor-logs"

_Artifact = dict[str, Any]


def for_tfx(executor_input: dict[str, Any], inputs_spec: dict[str, Any], root: str = "") -> dict:
    """Gives the ExecutorInput what the backend has lost, and local paths for URIs.

    Args:
        executor_input: as the driver made it; left as it is.
        inputs_spec: the component's inputs with the types of its artifacts.
        root: see `artifact_paths.local_path`.

    Returns:
        A copy in which input artifacts have their types back and metadata is not wrapped, every
        artifact and the output file lie in the launcher's folders, and output parameters and what
        has one of the backend's own types are left out.

    Raises:
        UserError: an input that the component does not have, or a store without local folder.
    """
    localised = copy.deepcopy(executor_input)
    inputs, outputs = localised.setdefault("inputs", {}), localised["outputs"]
    inputs.setdefault("parameterValues", {})
    for name, artifact in _artifacts(inputs):
        try:
            artifact["type"] = inputs_spec["artifacts"][name]["artifactType"]
        except KeyError:
            raise UserError(f"the component has no input artifact {name}") from None
        metadata = artifact.get("metadata") or {}
        artifact["metadata"] = {k: _unwrap(v) for k, v in metadata.items() if v is not None}
        artifact["uri"] = artifact_path(artifact["uri"], root)
    outputs["artifacts"] = {
        key: entry
        for key, entry in outputs.get("artifacts", {}).items()
        if key != _LOG_ARTIFACT and not is_system(entry)
    }
    outputs.pop("parameters", None)  # TFX would want an artifact for each
    for _, artifact in _artifacts(outputs):
        artifact["uri"] = artifact_path(artifact["uri"], root)
    outputs["outputFile"] = f"{root}{outputs['outputFile']}"
    return localised


def output_folders(localised: dict[str, Any]) -> list[str]:
    """Folders of the outputs: TFX expects them, the launcher makes only their parents.

    Args:
        localised: what `for_tfx` returned.
    """
    return [artifact["uri"] for _, artifact in _artifacts(localised["outputs"])]


def for_backend(
    executor_output: dict[str, Any], executor_input: dict[str, Any], root: str
) -> dict[str, Any]:
    """Gives the ExecutorOutput its URIs back, and drops metadata that the backend would refuse.

    Args:
        executor_output: as TFX wrote it; left as it is.
        executor_input: as the driver made it.
        root: see `artifact_paths.local_path`.

    Returns:
        A copy. The launcher uploads an artifact only if its URI is that of a store, and stops at
        metadata that is null.
    """
    restored = copy.deepcopy(executor_output)
    remote = {
        artifact_path(artifact["uri"], root): artifact["uri"]
        for _, artifact in _artifacts(executor_input["outputs"])
    }
    for _, artifact in _artifacts(restored):
        artifact["uri"] = remote.get(artifact["uri"], artifact["uri"])
        metadata = artifact.get("metadata") or {}
        artifact["metadata"] = {k: v for k, v in metadata.items() if v is not None}
    return restored


def with_parameter(executor_output: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    """An ExecutorOutput with an output parameter more."""
    values = executor_output.get("parameterValues", {})
    return {**executor_output, "parameterValues": {**values, name: value}}


def is_system(entry: dict[str, Any]) -> bool:
    """Whether an output has one of the backend's own types, see `package.report_outputs`."""
    (artifact,) = entry["artifacts"]
    return artifact.get("type", {}).get("schemaTitle", "").startswith(report_outputs.TITLE)


def artifact_path(uri: str, root: str) -> str:
    """Where an artifact lies in the pod; kfp's own local orchestrator gives paths already.

    Args:
        uri: of the artifact.
        root: see `artifact_paths.local_path`.
    """
    return uri if uri.startswith("/") else local_path(uri, root)


def _artifacts(side: dict[str, Any]) -> Iterator[tuple[str, _Artifact]]:
    """Every artifact of an `inputs`, an `outputs` or an ExecutorOutput, with its key."""
    for name, entry in side.get("artifacts", {}).items():
        for artifact in entry.get("artifacts", []):
            yield name, artifact


def _unwrap(value: Any) -> Any:
    """A list comes back from the metadata store as `{"list": …}`, a mapping as `{"struct": …}`."""
    if isinstance(value, dict) and len(value) == 1:
        ((kind, content),) = value.items()
        if kind in ("list", "struct"):
            return content
    return value
