"""What a package says to Kubernetes: resources in its first document, all else in its second.

These are the parts of `PipelineContainerSpec` and `KubernetesExecutorConfig` that Graft writes. The
protos that are published for the two lines of TFX know different parts of them, so they are held
to models of our own, which a backend from version 2.5 on accepts (`securityContext`: 2.16).
"""

from typing import Any, Literal

import pydantic
from pydantic.alias_generators import to_camel

from pipeline.kubeflow.mounts import SHARED_MEMORY, MountPath, VolumeName
from pipeline.kubeflow.quantities import Cpu, Memory, seconds
from pipeline.kubeflow.settings import KubeflowSettings
from pipeline.kubeflow.step_settings import NamedStepSettings


class _Message(pydantic.BaseModel):
    """A message in Proto3's JSON form: camelCase, nothing unknown, nothing of another type."""

    model_config = pydantic.ConfigDict(
        extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True
    )

    def as_dict(self) -> dict[str, Any]:
        """Without what is not set."""
        return self.model_dump(by_alias=True, exclude_defaults=True)


class _Accelerator(_Message):
    type: str
    count: str
    resource_type: str
    resource_count: str


class Resources(_Message):
    """`PipelineContainerSpec.ResourceSpec`."""

    resource_cpu_request: Cpu | None = None
    resource_cpu_limit: Cpu | None = None
    resource_memory_request: Memory | None = None
    resource_memory_limit: Memory | None = None
    accelerator: _Accelerator | None = None


class _Value(_Message):
    constant: str


class _Parameter(_Message):
    runtime_value: _Value


class _PvcMount(_Message):
    constant: VolumeName
    mount_path: MountPath
    pvc_name_parameter: _Parameter
    sub_path: str | None = None


class _KeyToEnv(_Message):
    secret_key: str
    env_var: str


class _SecretAsEnv(_Message):
    secret_name: str
    secret_name_parameter: _Parameter
    key_to_env: list[_KeyToEnv]


class _SecretAsVolume(_Message):
    secret_name: VolumeName
    secret_name_parameter: _Parameter
    mount_path: MountPath


class _ImagePullSecret(_Message):
    secret_name: str
    secret_name_parameter: _Parameter


class _NodeSelector(_Message):
    labels: dict[str, str]


class _Toleration(_Message):
    key: str = ""
    operator: Literal["Equal", "Exists"] | None = None
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class _EmptyDirMount(_Message):
    volume_name: str
    mount_path: str
    medium: str | None = None
    size_limit: Memory | None = None


class _SecurityContext(_Message):
    run_as_user: int
    run_as_group: int | None = None
    run_as_non_root: bool | None = None


class ExecutorConfig(_Message):
    """`KubernetesExecutorConfig`: volumes, secrets, and where and as whom a pod runs."""

    secret_as_volume: list[_SecretAsVolume] = []
    secret_as_env: list[_SecretAsEnv] = []
    pvc_mount: list[_PvcMount] = []
    node_selector: _NodeSelector | None = None
    image_pull_secret: list[_ImagePullSecret] = []
    active_deadline_seconds: int | None = None
    tolerations: list[_Toleration] = []
    empty_dir_mounts: list[_EmptyDirMount] = []
    security_context: _SecurityContext | None = None
    # Graft writes none of these, and leaves them alone where somebody has added them.
    pod_metadata: dict[str, Any] | None = None
    image_pull_policy: Literal["Always", "Never", "IfNotPresent"] | None = None
    config_map_as_volume: list[dict[str, Any]] = []
    config_map_as_env: list[dict[str, Any]] = []
    field_path_as_env: list[dict[str, Any]] = []
    generic_ephemeral_volume: list[dict[str, Any]] = []
    node_affinity: list[dict[str, Any]] = []
    pod_affinity: list[dict[str, Any]] = []


class _Deployment(_Message):
    executors: dict[str, ExecutorConfig]


class _Kubernetes(_Message):
    deployment_spec: _Deployment


class _Platforms(_Message):
    kubernetes: _Kubernetes


class PlatformSpec(_Message):
    """The second document of a package."""

    platforms: _Platforms


def platform_spec(executors: dict[str, ExecutorConfig]) -> dict[str, Any]:
    """The second document of a package.

    Args:
        executors: by executor label; those with nothing to say are left out.
    """
    said = {label: config.as_dict() for label, config in executors.items()}
    return {
        "platforms": {
            "kubernetes": {"deploymentSpec": {"executors": {k: v for k, v in said.items() if v}}}
        }
    }


def resources(step: NamedStepSettings) -> Resources:
    """CPU, memory and GPUs of a step."""
    requests, limits, gpu = step.resources.requests, step.resources.limits, step.gpu
    return Resources(
        resource_cpu_request=requests.cpu,
        resource_cpu_limit=limits.cpu,
        resource_memory_request=requests.memory,
        resource_memory_limit=limits.memory,
        # Old backends read the first pair, new ones the second.
        accelerator=gpu
        and _Accelerator(
            type=gpu.resource,
            count=str(gpu.count),
            resource_type=gpu.resource,
            resource_count=str(gpu.count),
        ),
    )


def executor_config(settings: KubeflowSettings, step: NamedStepSettings) -> ExecutorConfig:
    """Volumes, secrets, scheduling and user of a step."""
    user = step.security_context
    return ExecutorConfig(
        secret_as_volume=[
            _SecretAsVolume(secret_name=name, secret_name_parameter=_named(name), mount_path=path)
            for name, path in step.secret_volumes.items()
        ],
        secret_as_env=[
            _SecretAsEnv(
                secret_name=name,
                secret_name_parameter=_named(name),
                key_to_env=[_KeyToEnv(secret_key=key, env_var=env) for env, key in keys.items()],
            )
            for name, keys in step.secret_env.items()
        ],
        pvc_mount=[
            _PvcMount(constant=claim, pvc_name_parameter=_named(claim), mount_path=path)
            for claim, path in step.pvcs.items()
        ],
        node_selector=_NodeSelector(labels=step.node_selector) if step.node_selector else None,
        image_pull_secret=[
            _ImagePullSecret(secret_name=name, secret_name_parameter=_named(name))
            for name in settings.pull_secrets
        ],
        active_deadline_seconds=seconds(step.timeout) if step.timeout else None,
        tolerations=[_Toleration(**toleration.model_dump()) for toleration in step.tolerations],
        # The field enabledSharedMemory, made for this, is read by no backend.
        empty_dir_mounts=[
            _EmptyDirMount(
                volume_name=SHARED_MEMORY[0],
                mount_path=SHARED_MEMORY[1],
                medium="Memory",
                size_limit=step.shared_memory,
            )
        ]
        if step.shared_memory
        else [],
        security_context=user
        and _SecurityContext(
            run_as_user=user.run_as_user, run_as_group=user.run_as_group, run_as_non_root=True
        ),
    )


def _named(name: str) -> _Parameter:
    """Backends before 2.5 took the plain name that stands beside this."""
    return _Parameter(runtime_value=_Value(constant=name))
