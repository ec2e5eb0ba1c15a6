"""The state of a training on disk, from which a killed one resumes.

    Trainer/model_run/<run>/              ModelRun artifacts
    Trainer/model_run/.state-<digest>/    state of a training, named by what it depends on
        lock                              held by the process that trains from it
        exported                          the ModelRun artifact whose model has been exported
    Trainer/model_run/.state.lock         held while states are taken or removed

A state belongs to the process that holds its lock; the operating system lets go of the lock when
that process ends, however it ends. Others remove a state only when they can take its lock.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import filelock

from components import progress
from components.files import write_atomically

FOLDER_VARIABLE = "GRAFT_TRAINING_STATE"
"""Environment variable: folder for the states instead of the one beside the ModelRun artifacts.
In a cluster that one is gone with the pod, so a step that is retried needs one on a volume."""

_PREFIX = ".state-"
_FOLDER_LOCK = ".state.lock"
_LOCK = "lock"
_EXPORTED = "exported"
_POLL_S = 0.5


@contextlib.contextmanager
def resumable_state(fn_args, precision: str = "float32") -> Iterator[Path]:
    """A folder that outlives a killed training and is found by the next one of the same kind.

    It lies beside the folders of the runs, or where `FOLDER_VARIABLE` says, named by a digest of
    what the training depends on, and stays when the training ends: only the next run can see that
    its artifacts were published (see `discard_published`). A training that begins removes the
    states of others that have ended. While another process trains from the same state it waits.

    Args:
        fn_args: what `run_fn` is given.
        precision: what this machine trains in; a cluster's next one may have another.
    """
    inputs = [fn_args.custom_config, fn_args.transform_output, fn_args.train_files, precision]
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
    parent = _folder_of_states(fn_args.model_run_dir)
    parent.mkdir(parents=True, exist_ok=True)
    state = parent / f"{_PREFIX}{key}"
    lock = _take(state)
    try:
        yield state
    finally:
        lock.release()


def mark_exported(state: Path, model_run_dir: str) -> None:
    """Notes in a state that its model has been exported, and for which ModelRun artifact."""
    write_atomically(state / _EXPORTED, model_run_dir)


def discard_published(model_run_dir: str) -> None:
    """Removes the state behind a ModelRun artifact that has been published: nobody resumes it.

    Args:
        model_run_dir: path of the artifact.
    """
    parent = _folder_of_states(model_run_dir)
    exported = [state for state in _states(parent) if _exported_as(state) == model_run_dir]
    if exported:
        with filelock.FileLock(parent / _FOLDER_LOCK):
            for state in exported:
                _remove_unless_held(state)


def _take(state: Path) -> filelock.BaseFileLock:
    """Waits until nobody trains from a state, takes it and removes the others that have ended."""
    parent, waited = state.parent, 0
    while True:
        # States are taken and removed under this lock alone, so none goes while it is being taken.
        with filelock.FileLock(parent / _FOLDER_LOCK):
            state.mkdir(exist_ok=True)
            lock = _lock_of(state)
            with contextlib.suppress(filelock.Timeout):
                lock.acquire(timeout=0)
                for other in _states(parent):
                    if other != state:
                        _remove_unless_held(other)
                return lock
        if not waited:
            logging.warning("Another process trains from %s: waiting until it has ended", state)
        waited += 1
        progress.report("waiting", waited, None, "another process trains the same")
        time.sleep(_POLL_S)


def _folder_of_states(model_run_dir: str) -> Path:
    return Path(os.environ.get(FOLDER_VARIABLE) or Path(model_run_dir).parent)


def _states(parent: Path) -> list[Path]:
    return sorted(parent.glob(f"{_PREFIX}*"))


def _lock_of(state: Path) -> filelock.BaseFileLock:
    return filelock.FileLock(state / _LOCK)


def _exported_as(state: Path) -> str | None:
    try:
        return (state / _EXPORTED).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _remove_unless_held(state: Path) -> None:
    """Removes a state whose owner is gone; call it while holding the folder's lock.

    NFS keeps files that somebody has open, as activations that are mapped, under other names until
    they are closed, and so their folder: what it keeps goes when the next training begins.
    """
    with contextlib.suppress(filelock.Timeout):
        with _lock_of(state).acquire(timeout=0):
            pass  # nobody holds it, and who wants to waits for the folder's; it is no open file now
        shutil.rmtree(state, ignore_errors=True)
