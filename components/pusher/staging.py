"""A place beside the served versions in which changes are made ready, one at a time."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import filelock

from components import served_versions
from components.errors import UserError

_STAGING_PREFIX = ".staging-"
# A push takes seconds, minutes on a slow network file system.
_LOCK_TIMEOUT_SECONDS = 600


@contextlib.contextmanager
def staging_folder(destination: Path) -> Iterator[Path]:
    """Gives an empty folder where no server looks, while nobody else changes the destination.

    What killed processes left in such folders goes first.

    Args:
        destination: folder of the served versions.

    Raises:
        UserError: another push does not end; the destination is as it was.
        OSError: something failed inside, as on a full disk.
    """
    lock_file = served_versions.evidence_folder(destination, "push.lock")
    lock_file.parent.mkdir(exist_ok=True)
    try:
        with filelock.FileLock(lock_file, timeout=_LOCK_TIMEOUT_SECONDS):
            for abandoned in destination.glob(f"{_STAGING_PREFIX}*"):
                shutil.rmtree(abandoned, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=_STAGING_PREFIX, dir=destination) as folder:
                yield Path(folder)
    except filelock.Timeout as error:
        raise UserError(
            f"another push to {destination} has not ended in {_LOCK_TIMEOUT_SECONDS} s: end it "
            "and run again"
        ) from error
    except OSError as error:
        raise OSError(f"cannot push to {destination}: {_reason(error)}") from error


def sync(folder: Path) -> None:
    """Has the files on the disk before a rename shows them, in case the machine goes down."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _reason(error: OSError) -> str:
    """What went wrong, in one line. `copytree` collects (source, target, reason) of each file."""
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2])
    return error.strerror or str(error)
