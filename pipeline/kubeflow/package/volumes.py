"""Which paths mean something in a pod, and which outlive it."""

from collections.abc import Iterable
from pathlib import PurePosixPath


def on_volume(path: str, mount_paths: Iterable[str]) -> bool:
    """Whether a path is one of those where volumes are mounted, or below one."""
    pure = PurePosixPath(path)
    if ".." in pure.parts:
        return False
    return any(PurePosixPath(mount) in (pure, *pure.parents) for mount in mount_paths)


def is_of_this_machine(path: str) -> bool:
    """Whether a path can mean nothing in a pod: it is neither absolute nor an address."""
    return not path.startswith("/") and "://" not in path
