"""Signals, and the processes that this one has started."""

import contextlib
import os
import signal
import time
from pathlib import Path

_GRACE_SECONDS = 3.0
_stops: list[BaseException] = []


def stop_on_signals() -> None:
    """Lets SIGINT and SIGTERM unwind the program: KeyboardInterrupt, and SystemExit with 143.

    A second one ends it at once. Where SIGINT is ignored, as under `nohup … &`, it stays so.
    """
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)


def _stop(number: int, _) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(each) is _stop:
            signal.signal(each, lambda number, _: os._exit(128 + number))
    _stops.append(KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number))
    raise _stops[-1]


def stop_all_the_same() -> None:
    """Raises again what a signal raised, if one did: Beam makes an error of its own of it."""
    if _stops:
        raise _stops[-1]


def end_children() -> None:
    """Ends every process below this one: politely, and after three seconds by force."""
    below = _descendants(os.getpid())
    _send(signal.SIGTERM, below)
    deadline = time.monotonic() + _GRACE_SECONDS
    while below & _running().keys() and time.monotonic() < deadline:
        time.sleep(0.05)
    _send(signal.SIGKILL, below & _running().keys())


def _send(number: int, pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _descendants(root: int) -> set[int]:
    """Process ids of the children of a process, of theirs, and so on."""
    parents = _running()
    found: set[int] = set()
    level = {root}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found |= level
    return found


def _running() -> dict[int, int]:
    """Parent by process, without those that have ended and only wait to be collected."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name, which is in brackets and may hold any letter: state, parent, …
            state, parent, *_ = status.read_text(errors="replace").rpartition(")")[2].split()
            if state != "Z":
                parents[int(status.parent.name)] = int(parent)
    return parents
