"""Copies a SavedModel into the folder of served versions so that nobody ever sees half of it."""

import shutil
import tempfile
import time
from pathlib import Path

from components import served_versions

_STAGING_PREFIX = ".staging-"
# A push takes seconds; nobody still writes into a staging folder this old.
_ABANDONED_AFTER_SECONDS = 3600


def push(model: Path, destination: Path) -> Path:
    """Copies the folder `model` to a new version folder and returns that.

    The copy is made beside the versions, where no server looks, and renamed when it is whole.

    Raises:
        OSError: the copy failed, as on a full disk; `destination` holds no trace of it.
    """
    remove_abandoned(destination)
    try:
        with tempfile.TemporaryDirectory(prefix=_STAGING_PREFIX, dir=destination) as staging:
            copy = shutil.copytree(model, Path(staging) / "model")
            version = destination / str(_next_version(destination))
            copy.rename(version)
    except OSError as error:
        raise OSError(f"cannot push to {destination}: {_reason(error)}") from error
    return version


def remove_abandoned(destination: Path) -> None:
    """Removes the staging folders that killed pushes left behind."""
    for staging in destination.glob(f"{_STAGING_PREFIX}*"):
        if time.time() - staging.stat().st_mtime > _ABANDONED_AFTER_SECONDS:
            shutil.rmtree(staging, ignore_errors=True)


def _next_version(destination: Path) -> int:
    """Now as a UNIX timestamp, or one more than the newest version if that is not older."""
    numbers = served_versions.version_numbers(destination)
    return max(int(time.time()), numbers[-1] + 1 if numbers else 0)


def _reason(error: OSError) -> str:
    """What went wrong, in one line. `copytree` collects (source, target, reason) of each file."""
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2])
    return error.strerror or str(error)
