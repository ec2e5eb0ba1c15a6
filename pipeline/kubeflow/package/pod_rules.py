"""What Kubernetes refuses in a step's pod, beyond what can be told from each field alone."""

from collections.abc import Iterable, Mapping
from typing import Any

from components.errors import UserError
from pipeline.kubeflow.quantities import cores, memory_bytes

# Fields of KubernetesExecutorConfig that make volumes, and the key that names the volume.
_VOLUMES = {
    "pvcMount": "constant",
    "secretAsVolume": "secretName",
    "configMapAsVolume": "configMapName",
    "emptyDirMounts": "volumeName",
    "genericEphemeralVolume": "volumeName",
}


def check_pod(label: str, container: Mapping[str, Any], platform: Mapping[str, Any]) -> None:
    """Stops at a pod that the API server would not make.

    Args:
        label: of the executor.
        container: of the PipelineSpec.
        platform: the step's KubernetesExecutorConfig.

    Raises:
        UserError: two volumes at one path or of one name, a variable that is set twice, a request
            above its limit, or a number of GPUs that is none.
    """
    volumes = [
        (volume.get(name) or _constant(volume), kind, volume.get("mountPath", ""))
        for kind, name in _VOLUMES.items()
        for volume in platform.get(kind, ())
    ]
    path = _repeated(path.rstrip("/") for *_, path in volumes)
    if path:
        raise UserError(f"{label}: two volumes are mounted at {path}; give each a path of its own")
    # A claim may be mounted twice, with other paths in it: that is one volume.
    name = _repeated(name for name, _ in {(name, kind) for name, kind, _ in volumes})
    if name:
        raise UserError(f"{label}: two volumes of different kinds are called {name}; rename one")
    variable = _repeated(
        [
            *(env["name"] for env in container.get("env", ())),
            *(
                key["envVar"]
                for secret in platform.get("secretAsEnv", ())
                for key in secret["keyToEnv"]
            ),
        ]
    )
    if variable:
        raise UserError(f"{label}: the environment variable {variable} is set twice")
    _check_resources(label, container.get("resources", {}))


def _check_resources(label: str, resources: Mapping[str, Any]) -> None:
    for kind, amount in (("Cpu", cores), ("Memory", memory_bytes)):
        request, limit = (resources.get(f"resource{kind}{end}") for end in ("Request", "Limit"))
        if request and limit and amount(request) > amount(limit):
            raise UserError(
                f"{label}: resource{kind}Request {request} is more than resource{kind}Limit {limit}"
            )
    count = resources.get("accelerator", {}).get("resourceCount", "1")
    if not (count.isdecimal() and int(count)):
        raise UserError(f"{label}: accelerator.resourceCount {count} is no number of GPUs, as 1")


def _repeated(names: Iterable[str]) -> str:
    seen = set()
    for name in names:
        if name and name in seen:
            return name
        seen.add(name)
    return ""


def _constant(volume: Mapping[str, Any]) -> str:
    parameters = (value for key, value in volume.items() if key.endswith("NameParameter"))
    return next((p.get("runtimeValue", {}).get("constant", "") for p in parameters), "")
