"""Removes served versions that nobody is to go back to any more."""

from pathlib import Path

from components import served_versions
from components.errors import UserError
from components.pusher.staging import staging_folder
from components.served_versions import Version


def prune(destination: Path, keep: int) -> list[Version]:
    """Removes all versions but the newest ones; their evidence and their numbers stay.

    Args:
        destination: folder of the served versions.
        keep: how many stay, at least 1: the one that is served.

    Returns:
        The versions that were removed, oldest first.

    Raises:
        UserError: `keep` is less than 1, or a push does not end.
        OSError: a folder cannot be removed.
    """
    if keep < 1:
        raise UserError(f"--keep {keep} would remove the version that is served: keep at least 1")
    if not destination.is_dir():
        return []
    with staging_folder(destination) as staging:
        removed = served_versions.list_versions(destination)[:-keep]
        for version in removed:
            version.path.rename(staging / version.name)  # gone for servers before it is incomplete
    return removed
