"""Settings of a package for Kubeflow Pipelines: image, resources, volumes, secrets per step."""

import copy
from typing import Annotated, Any, Literal

import pydantic

from components.errors import UserError
from components.settings import Settings
from components.text import did_you_mean
from components.validation import explain
from pipeline import node_ids
from pipeline.kubeflow.image_name import ImageName
from pipeline.kubeflow.quantities import Cpu, Duration, Memory, cores, memory_bytes

TRAINER = "Trainer"

# What they do lies outside the run: pictures may have changed, another model may be served, a
# push must not be taken for done because an earlier one was. And a gate's no is no accident.
NEVER_CACHED = ("ImageExampleGen", "BaselineFinder", "Pusher")
_PUSHER = "Pusher"

_SECRET_WORDS = {"PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY"}


def _check_mount_path(value: str) -> str:
    parts = value.split("/")
    if not value.startswith("/") or value == "/" or {".", ".."} & set(parts) or "" in parts[1:]:
        raise ValueError(f"not a folder to mount at: {value}. Write an absolute path, as /mnt/data")
    return value


def _check_step_name(name: str) -> str:
    if name not in node_ids.ALL:
        near, known = did_you_mean(name, node_ids.ALL), ", ".join(sorted(node_ids.ALL))
        raise ValueError(f"no such step{near}. Steps: {known}")
    return name


_Text = Annotated[str, pydantic.Field(coerce_numbers_to_str=True)]
StepName = Annotated[str, pydantic.AfterValidator(_check_step_name)]
MountPath = Annotated[str, pydantic.AfterValidator(_check_mount_path)]
ObjectName = Annotated[
    str, pydantic.Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)
]
# A pod's volume has the name of its claim or secret, and may have no dots in it.
VolumeName = Annotated[
    str, pydantic.Field(pattern="^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)
]
VariableName = Annotated[str, pydantic.Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]


class Amounts(Settings):
    """CPU and memory of a container."""

    cpu: Cpu | None = pydantic.Field(None, description="cores: 2, 0.5 or 500m")
    memory: Memory | None = pydantic.Field(None, description="2Gi or 500M")


class ResourceSettings(Settings):
    """What a container is promised, and what it may take at most."""

    requests: Amounts = Amounts()
    limits: Amounts = Amounts()

    @pydantic.model_validator(mode="after")
    def _check(self) -> "ResourceSettings":
        for name, number in (("cpu", cores), ("memory", memory_bytes)):
            request, limit = getattr(self.requests, name), getattr(self.limits, name)
            if request and limit and number(request) > number(limit):
                raise ValueError(f"requests.{name} {request} is more than limits.{name} {limit}")
        return self


class GpuSettings(Settings):
    """GPUs of a step; `gpu: 1` is short for `gpu: {count: 1}`."""

    count: int = pydantic.Field(1, ge=1, le=64)
    resource: str = pydantic.Field(
        "nvidia.com/gpu",
        pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$",
        description="as the cluster's nodes name it",
    )


class RetrySettings(Settings):
    """How often a step that failed is tried again."""

    count: int = pydantic.Field(0, ge=0, le=10)
    backoff: Duration = pydantic.Field("60s", description="wait before the first of them")
    factor: int = pydantic.Field(2, ge=1, le=10, description="every further wait is longer by it")


class TolerationSettings(Settings):
    """A taint that a step's pod puts up with."""

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: _Text = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = pydantic.Field(
        "", description="empty: all of them"
    )
    toleration_seconds: int | None = pydantic.Field(None, ge=0)

    @pydantic.model_validator(mode="after")
    def _check(self) -> "TolerationSettings":
        if self.operator == "Exists" and self.value:
            raise ValueError("operator Exists takes no value")
        if self.operator == "Equal" and not self.key:
            raise ValueError("operator Equal needs a key")
        return self


class SecurityContextSettings(Settings):
    """As whom a container runs; needs a backend of version 2.16 or newer."""

    run_as_user: int = pydantic.Field(ge=1, le=2**31 - 1, description="numeric, and not root")
    run_as_group: int | None = pydantic.Field(None, ge=1, le=2**31 - 1)


class StepSettings(Settings):
    """How a step runs."""

    resources: ResourceSettings = ResourceSettings()
    env: dict[VariableName, _Text] = pydantic.Field({}, description="value by name; no secrets")
    secret_env: dict[ObjectName, dict[VariableName, str]] = pydantic.Field(
        {}, description="by secret: the key in it by the name of the environment variable"
    )
    secret_volumes: dict[VolumeName, MountPath] = pydantic.Field(
        {}, description="mount path by secret"
    )
    pvcs: dict[VolumeName, MountPath] = pydantic.Field(
        {}, description="mount path by persistent volume claim"
    )
    shared_memory: Memory | None = pydantic.Field(None, description="size of /dev/shm")
    node_selector: dict[str, _Text] = pydantic.Field({}, description="value by label of nodes")
    tolerations: tuple[TolerationSettings, ...] = ()
    retries: RetrySettings = RetrySettings()
    timeout: Duration | None = pydantic.Field(None, description="after which the pod is ended")
    security_context: SecurityContextSettings | None = pydantic.Field(
        None, description="null: the image's own user; otherwise needs a backend from 2.16 on"
    )
    cache: bool | None = pydantic.Field(
        None,
        description="whether outputs of an earlier run may be taken; null: yes, but not for "
        f"{', '.join(NEVER_CACHED[:-1])} and {NEVER_CACHED[-1]}",
    )

    @pydantic.field_validator("retries", mode="before")
    @classmethod
    def _retry_count(cls, value: Any) -> Any:
        return {"count": value} if type(value) is int else value

    @pydantic.field_validator("env")
    @classmethod
    def _check_env(cls, env: dict[str, str]) -> dict[str, str]:
        for name in env:
            words = name.upper().split("_")
            if words[-1] not in ("FILE", "PATH") and (
                words[-1] == "KEY" or _SECRET_WORDS & set(words)
            ):
                raise ValueError(
                    f"the value of {name} would be readable in the package, and the name is one of "
                    f"a secret: keep it in a Kubernetes secret and name that one instead, as "
                    f"secret_env: {{SECRET: {{{name}: KEY_IN_THE_SECRET}}}}"
                )
        return env

    @pydantic.model_validator(mode="after")
    def _check_places(self) -> "StepSettings":
        paths = [*self.pvcs.values(), *self.secret_volumes.values()]
        for path in paths:
            if paths.count(path) > 1:
                raise ValueError(f"two volumes are mounted at {path}")
        for name in self.pvcs.keys() & self.secret_volumes.keys():
            raise ValueError(
                f"{name} is both a claim and a secret: volumes need names of their own"
            )
        names = [*self.env, *(name for of_secret in self.secret_env.values() for name in of_secret)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the environment variable {name} is set twice")
        return self


class NamedStepSettings(StepSettings):
    """How the step runs that it is named for."""

    gpu: GpuSettings | None = pydantic.Field(None, description="null: none")

    @pydantic.field_validator("gpu", mode="before")
    @classmethod
    def _gpu_count(cls, value: Any) -> Any:
        return {"count": value} if type(value) is int else value


class KubeflowSettings(StepSettings):
    """The block `kubeflow` of a recipe. What it says outside of `steps` holds for every step."""

    image: ImageName = pydantic.Field(
        "", description="of all steps, with a tag that stays or a digest"
    )
    gpu_image: ImageName = pydantic.Field("", description="of steps with a GPU; empty: image")
    pull_secrets: tuple[ObjectName, ...] = pydantic.Field(
        (), description="secrets of type dockerconfigjson"
    )
    pipeline_root: str = pydantic.Field(
        "",
        pattern=r"^((minio|s3|gs)://[^\s/]+(/\S*)?)?$",
        description="where artifacts go, as minio://bucket/folder; empty: the cluster's default",
    )
    data_source: str = pydantic.Field(
        "", description="in the cluster, if it is not data.source; every run may name another"
    )
    push_destination: str = pydantic.Field(
        "", description="in the cluster, if it is not push.destination; every run may name another"
    )
    parameters: tuple[str, ...] = pydantic.Field(
        (),
        description="further settings under `training` and `head` that a run may change, as "
        "training.batch_size",
    )
    steps: dict[StepName, NamedStepSettings] = pydantic.Field(
        {}, description="by step, goes before what is said for every step"
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _check_gpu(cls, values: Any) -> Any:
        if isinstance(values, dict) and "gpu" in values:
            raise ValueError(
                "gpu is for a step, so that the others leave the GPUs to it: "
                f"steps: {{{TRAINER}: {{gpu: 1}}}}"
            )
        return values

    @pydantic.field_serializer("steps")
    def _as_said(self, steps: dict[str, NamedStepSettings]) -> dict[str, Any]:
        """Defaults would go before what is said for every step when they are loaded again."""
        return {
            name: step.model_dump(mode="json", exclude_unset=True) for name, step in steps.items()
        }

    def step(self, name: str) -> NamedStepSettings:
        """How a step runs: what is said for it, then for every step, then Graft's defaults.

        Mappings are merged key by key; anything else is taken as a whole.

        Raises:
            UserError: what is said here and there does not go together.
        """
        own = self.steps.get(name, NamedStepSettings())
        everywhere = self.model_dump(exclude_unset=True, include=set(StepSettings.model_fields))
        if name in NEVER_CACHED and everywhere.get("cache"):
            del everywhere["cache"]
        if name == _PUSHER:
            everywhere.pop("retries", None)
        said = _merged(everywhere, own.model_dump(exclude_unset=True))
        resources = _resources(said.get("resources", {}), _DEFAULTS.get(name, _DEFAULT))
        try:
            step = NamedStepSettings.model_validate({**said, "resources": resources})
        except pydantic.ValidationError as error:
            raise UserError(explain(error, NamedStepSettings, f"kubeflow.steps.{name}")) from error
        cache = step.cache if step.cache is not None else name not in NEVER_CACHED
        return step.replaced(cache=cache)

    def image_of(self, step: NamedStepSettings) -> str:
        """The image of a step."""
        return self.gpu_image if step.gpu and self.gpu_image else self.image


# TensorFlow and its data at work take 1 to 2 GiB, the Trainer about as much again on a CPU.
_DEFAULT = {
    "requests": {"cpu": "1", "memory": "2Gi"},
    "limits": {"cpu": "4", "memory": "4Gi"},
}
_DEFAULTS = {
    TRAINER: {
        "requests": {"cpu": "2", "memory": "4Gi"},
        "limits": {"cpu": "8", "memory": "16Gi"},
    },
}


def _resources(said: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Fills in defaults, which give way where they contradict what is said."""
    amounts = {kind: {k: v for k, v in of.items() if v} for kind, of in said.items()}
    result = _merged(copy.deepcopy(defaults), amounts)
    for name, number in (("cpu", cores), ("memory", memory_bytes)):
        request, limit = (result[kind].get(name) for kind in ("requests", "limits"))
        if request and limit and number(request) > number(limit):
            if name not in amounts.get("requests", {}):
                result["requests"][name] = limit
            elif name not in amounts.get("limits", {}):
                result["limits"][name] = request
    return result


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = (
            _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged
