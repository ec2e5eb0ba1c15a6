"""How a step runs on Kubeflow Pipelines: resources, environment, volumes, secrets, scheduling."""

from typing import Annotated, Any, Literal

import pydantic

from components.settings import Settings
from pipeline.kubeflow.mounts import MountPath, VolumeName
from pipeline.kubeflow.quantities import Cpu, Duration, Memory, cores, memory_bytes, seconds
from pipeline.node_ids import PROBE, PUSHER, REPORT, SERVING_GATE, VERDICT
from pipeline.secret_words import is_secret

LONGEST_RETRYING_S = 30 * 86_400
"""Seconds from a step's first start after which Argo retries it no more."""

# The Probe looks at what lies outside the run: pictures may have changed, another model may be
# served. And a push must not be taken for done because an earlier one was; what follows it tells
# of this one. Where ServingGate said no, the machine may have been at fault.
NEVER_CACHED = (PROBE, SERVING_GATE, PUSHER, REPORT, VERDICT)


_Text = Annotated[str, pydantic.Field(coerce_numbers_to_str=True)]
ObjectName = Annotated[
    str, pydantic.Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)
]
VariableName = Annotated[str, pydantic.Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]


class Amounts(Settings):
    """CPU and memory of a container."""

    cpu: Cpu | None = pydantic.Field(None, description="cores: 2, 0.5 or 500m")
    memory: Memory | None = pydantic.Field(None, description="2Gi or 500M")


class ResourceSettings(Settings):
    """What a container is promised, and what it may take at most.

    What a step gets where nothing is said: the table in kubeflow/README.md.
    """

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
    """GPUs of a step; `gpu: 1` is short for `{count: 1}`."""

    count: int = pydantic.Field(1, ge=1, le=64)
    resource: str = pydantic.Field(
        "nvidia.com/gpu",
        pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$",
        description="as the cluster's nodes name it",
    )


class RetrySettings(Settings):
    """How often a step that failed is tried again; `retries: 2` is short for `{count: 2}`.

    Pusher, DataVerdict and Verdict are tried again only where that is said for them by name.
    """

    count: int = pydantic.Field(0, ge=0, le=10)
    backoff: Duration = pydantic.Field("60s", description="wait before the first of them")
    factor: int = pydantic.Field(2, ge=1, le=10, description="every further wait is longer by it")

    @pydantic.model_validator(mode="after")
    def _check(self) -> "RetrySettings":
        waits = seconds(self.backoff) * sum(self.factor**number for number in range(self.count))
        if waits >= LONGEST_RETRYING_S:
            raise ValueError(
                f"{self.count} retries would wait {waits / 86_400:.0f} days, and none is started "
                f"more than {LONGEST_RETRYING_S // 86_400} days after the step's first start: take "
                "a shorter backoff or a smaller factor"
            )
        return self


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
    """As whom a container runs, if not as the image's user; needs a backend from 2.16 on."""

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
    shared_memory: Memory | None = pydantic.Field(
        None, description="size of /dev/shm; counts as memory of the container"
    )
    node_selector: dict[str, _Text] = pydantic.Field({}, description="value by label of nodes")
    tolerations: tuple[TolerationSettings, ...] = ()
    retries: RetrySettings = RetrySettings()
    timeout: Duration | None = pydantic.Field(None, description="after which the pod is ended")
    security_context: SecurityContextSettings | None = None
    cache: bool | None = pydantic.Field(
        None,
        description="whether outputs of an earlier run may be taken; null: yes, but not for "
        f"{', '.join(NEVER_CACHED)}",
    )

    @pydantic.field_validator("retries", mode="before")
    @classmethod
    def _retry_count(cls, value: Any) -> Any:
        return {"count": value} if type(value) is int else value

    @pydantic.field_validator("env")
    @classmethod
    def _check_env(cls, env: dict[str, str]) -> dict[str, str]:
        for name in env:
            if is_secret(name):
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

    gpu: GpuSettings | None = None

    @pydantic.field_validator("gpu", mode="before")
    @classmethod
    def _gpu_count(cls, value: Any) -> Any:
        return {"count": value} if type(value) is int else value
