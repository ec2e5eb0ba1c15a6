"""Which paths in a pod outlive it."""

from collections.abc import Iterable
from pathlib import PurePosixPath


def on_volume(path: str, mount_paths: Iterable[str]) -> bool:
    """Whether a path is one of those where volumes are mounted, or below one."""
    pure = PurePosixPath(path)
    if ".." in pure.parts:
        return False
    return any(PurePosixPath(mount) in (pure, *pure.parents) for mount in mount_paths)
