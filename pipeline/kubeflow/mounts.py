"""Where a volume of a step may be mounted, and what its claim or secret may be called."""

from pathlib import PurePosixPath
from typing import Annotated

import pydantic

SHARED_MEMORY = ("shm", "/dev/shm")  # noqa: S108
"""Name and mount path of the volume that Graft makes for shared memory."""

# Kubeflow Pipelines (2.5 to 2.17) and Argo mount volumes of their own here, in every step's pod. A
# second volume at or below such a path takes what the launcher downloads or writes out of sight.
_RESERVED_PATHS = (
    "/minio",
    "/s3",
    "/gcs",
    "/kfp-launcher",
    "/kfp-workspace",
    "/.cache",
    "/.config",
    "/.local",
    "/tmp",  # noqa: S108
    "/var/run/argo",
    "/var/run/secrets/kubernetes.io",
    "/dev",
    "/proc",
    "/sys",
)
# The volume of a claim or secret has its name, and a pod's volumes have names of their own.
_RESERVED_NAMES = (
    SHARED_MEMORY[0],
    "minio-scratch",
    "s3-scratch",
    "gcs-scratch",
    "kfp-launcher",
    "kfp-launcher-token",
    "kfp-workspace",
    "dot-cache-scratch",
    "dot-config-scratch",
    "dot-local-scratch",
    "artifact-local-root",
    "ca-bundle",
    "var-run-argo",
    "tmp-dir-argo",
    "argo-staging",
    "input-artifacts",
)


def _check_path(value: str) -> str:
    parts = value.split("/")
    if not value.startswith("/") or value == "/" or {".", ".."} & set(parts) or "" in parts[1:]:
        raise ValueError(f"not a folder to mount at: {value}. Write an absolute path, as /mnt/data")
    path = PurePosixPath(value)
    for reserved in _RESERVED_PATHS:
        if PurePosixPath(reserved) in (path, *path.parents):
            raise ValueError(
                f"{value} is where Kubeflow Pipelines or the container has its own files "
                f"({reserved}): mount it elsewhere, as at /mnt/data"
            )
    return value


def _check_name(value: str) -> str:
    if value in _RESERVED_NAMES:
        raise ValueError(
            f"a volume of every step's pod is called {value} already, and this one would have the "
            "same name: give the claim or secret another name"
        )
    return value


MountPath = Annotated[str, pydantic.AfterValidator(_check_path)]
# A volume's name may have no dots in it, unlike those of claims and secrets.
VolumeName = Annotated[
    str,
    pydantic.Field(pattern="^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63),
    pydantic.AfterValidator(_check_name),
]
