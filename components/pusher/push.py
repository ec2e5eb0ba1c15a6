"""Copies a SavedModel into the folder of served versions: a compare-and-swap, seen whole or not."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

import filelock

from components import served_versions
from components.errors import UserError
from components.manifests import file_sizes
from components.served_versions import PushRecord, ServedState

_STAGING_PREFIX = ".staging-"
# A push takes seconds, minutes on a slow network file system.
_LOCK_TIMEOUT_SECONDS = 600


class StaleComparisonError(UserError):
    """What is served is no longer what the model was compared with."""


def push(
    model: Path, destination: Path, compared: ServedState, evidence: Iterable[Path] = ()
) -> Path:
    """Copies a model to a new version folder, which is the one that is served from then on.

    The copy is made beside the versions, where no server looks, and renamed when it is whole. Its
    number is the one after the highest at the time of the comparison, so that of two pushes that
    were compared with the same version only one can succeed, also where locks do not work.

    Args:
        model: folder of the SavedModel.
        destination: folder of the served versions.
        compared: what was served when the model was compared.
        evidence: folders whose content is to lie in the evidence of the version; one that is not
            there has none.

    Returns:
        The folder of the new version. A file `champion`, which named an older one, is gone.

    Raises:
        StaleComparisonError: something else is served by now; the destination is as it was.
        UserError: another push does not end, or no number is left; the destination is as it was.
        OSError: the copy failed, as on a full disk; the destination is as it was.
    """
    if compared.highest >= served_versions.HIGHEST_NUMBER:
        raise UserError(
            f"{destination / str(compared.highest)} has the highest number that servers read: "
            "rename that folder to a smaller one"
        )
    lock_file = served_versions.evidence_folder(destination, "push.lock")
    lock_file.parent.mkdir(exist_ok=True)
    try:
        with filelock.FileLock(lock_file, timeout=_LOCK_TIMEOUT_SECONDS):
            _remove_abandoned(destination)
            with tempfile.TemporaryDirectory(prefix=_STAGING_PREFIX, dir=destination) as staging:
                return _push(model, destination, compared, evidence, Path(staging))
    except filelock.Timeout as error:
        raise UserError(
            f"another push to {destination} has not ended in {_LOCK_TIMEOUT_SECONDS} s: end it "
            "and run again"
        ) from error
    except OSError as error:
        raise OSError(f"cannot push to {destination}: {_reason(error)}") from error


def _push(
    model: Path,
    destination: Path,
    compared: ServedState,
    evidence: Iterable[Path],
    staging: Path,
) -> Path:
    _check_unchanged(destination, compared)
    copy, staged_evidence = staging / "model", staging / "evidence"
    shutil.copytree(model, copy)
    staged_evidence.mkdir()
    for folder in evidence:
        if folder.is_dir():
            shutil.copytree(folder, staged_evidence, dirs_exist_ok=True)
    digest = served_versions.content_digest(copy)
    record = PushRecord(datetime.now(timezone.utc), digest, file_sizes(copy))
    served_versions.write_push_record(staged_evidence, record)
    _sync(staging)
    _check_unchanged(destination, compared)
    version = destination / str(compared.highest + 1)
    try:
        copy.rename(version)  # fails on a folder that is not empty, also on NFS
    except OSError as error:
        if version.exists():
            raise _stale(destination, compared) from error
        raise
    if served_versions.version_numbers(destination)[-1] != int(version.name):
        version.rename(staging / "withdrawn")
        raise _stale(destination, compared)
    (destination / served_versions.CHAMPION_FILE).unlink(missing_ok=True)
    try:
        staged_evidence.rename(served_versions.evidence_folder(destination, version.name))
    except OSError:  # it is served: too late to fail
        logging.exception("Version %s has no record of its push", version.name)
    return version


def _check_unchanged(destination: Path, compared: ServedState) -> None:
    if served_versions.served_state(destination) != compared:
        raise _stale(destination, compared)


def _stale(destination: Path, compared: ServedState) -> StaleComparisonError:
    now = served_versions.served_state(destination)
    return StaleComparisonError(
        f"not pushed: {destination} has changed since this model was compared with what it serves "
        f"(then {compared}, now {now}); run again"
    )


def _remove_abandoned(destination: Path) -> None:
    """Removes what killed pushes left behind. To be called by whoever holds the lock."""
    for staging in destination.glob(f"{_STAGING_PREFIX}*"):
        shutil.rmtree(staging, ignore_errors=True)


def _sync(folder: Path) -> None:
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
