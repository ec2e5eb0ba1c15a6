"""One run at a time in a recipe's folder: two would take each other's state for their own."""

import contextlib
import datetime
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from components.files import write_atomically
from components.text import one_line

_LOCK, _HOLDER = ".lock", ".lock.json"
_MOMENT = 0.2  # seconds, for which `is_held` may have it


class BusyError(BlockingIOError):
    """Another process holds the folder; the text says which."""


@contextlib.contextmanager
def hold(folder: Path, wait: bool, on_wait: Callable[[str], None] | None = None) -> Iterator[bool]:
    """Keeps a folder for this process; the operating system takes it back however that ends.

    Args:
        folder: of the recipe's runs; made if it is missing.
        wait: until it is free, instead of giving up.
        on_wait: told, before a wait, who holds it; None: the command has no `--wait`.

    Yields:
        Whether it had to be waited for, so that what was looked at before may have changed.

    Raises:
        BusyError: another process holds the folder, and `wait` is false.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / _LOCK)
    waited = False
    try:
        lock.acquire(timeout=_MOMENT)
    except filelock.Timeout:
        if not wait:
            what_to_do = "wait until it has ended" + (
                ", as --wait does, or choose another name or workspace" if on_wait else ""
            )
            raise BusyError(
                f"{_holder(folder)}, and there can be one at a time: {what_to_do}"
            ) from None
        on_wait(_holder(folder))
        lock.acquire()
        waited = True
    try:
        since = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        write_atomically(folder / _HOLDER, json.dumps(holder))
        yield waited
    finally:
        (folder / _HOLDER).unlink(missing_ok=True)
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a process holds a folder, as far as whoever asks may write to it."""
    try:
        with filelock.FileLock(folder / _LOCK, timeout=0):
            return False
    except OSError as error:
        return isinstance(error, filelock.Timeout)


def _holder(folder: Path) -> str:
    """Who holds the folder, as far as it has said so already."""
    try:
        holder = json.loads((folder / _HOLDER).read_text(encoding="utf-8"))
        who = f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        who = "another process"
    return one_line(f"{folder} is in use by a run of {who}")
