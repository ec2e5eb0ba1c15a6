"""Runs functions in forked processes and disturbs them: kills, signals, a full disk.

The process that forks has imported everything and run no TensorFlow operation: TensorFlow's threads
would not come along. So a trial costs what it does, not the seconds of an import.
"""

import contextlib
import dataclasses
import errno
import os
import random
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

_WRITES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# What a child that is killed, or whose disk is full, may still need to end by itself.
_PATIENCE_SECONDS = 300
_TICK_SECONDS = 0.005
_NOW = b"now "


@dataclasses.dataclass(frozen=True)
class Disturbance:
    """What happens to a process, and when.

    Attributes:
        kind: `none`, `kill` (SIGKILL), `terminate` (SIGTERM) and `interrupt` (SIGINT) to the whole
            process group, `disk full` (every later write of Python's fails), or `file size` (no
            file may grow beyond `max_bytes`, whoever writes it).
        after_writes: the write before which it happens, counted from 1.
        after_seconds: in place of writes: seconds from the start.
        max_bytes: of a file.
    """

    kind: str = "none"
    after_writes: int = 0
    after_seconds: float = 0.0
    max_bytes: int = 0

    def __str__(self) -> str:
        details = [
            f"{name.replace('_', ' ')} {value:g}"
            for name, value in dataclasses.asdict(self).items()
            if name != "kind" and value
        ]
        return " ".join([self.kind, *details])


SIGNALS = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "interrupt": signal.SIGINT}


def draw(rng: random.Random, kinds: list[str], writes: int, seconds: float) -> Disturbance:
    """Draws a disturbance for a function that makes so many writes and takes so long."""
    kind = rng.choice(kinds)
    if kind == "file size":
        return Disturbance(kind, max_bytes=int(2 ** rng.uniform(5, 21)))
    if kind in SIGNALS and rng.random() < 0.5:
        return Disturbance(kind, after_seconds=rng.uniform(0, seconds))
    return Disturbance(kind, after_writes=rng.randint(1, max(writes, 1)))


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        code: its exit code, or minus the signal that ended it.
        seconds: it ran.
        writes: how often it wrote in the folder; 0 where it did not live to tell.
    """

    code: int
    seconds: float
    writes: int


class Child:
    """A function in a process group of its own."""

    def __init__(
        self,
        function: Callable[[], int | None],
        folder: Path,
        log: Path,
        disturbance: Disturbance = Disturbance(),
    ):
        """Starts it.

        Args:
            function: gives an exit code, or None for 0.
            folder: writes below it count.
            log: file for what is printed; it is appended to.
            disturbance: what happens to it.
        """
        self._disturbance = disturbance
        self._events, events = os.pipe()
        self._start = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._events)
            _be_the_child(function, folder, log, disturbance, events)
        os.close(events)

    def wait(self) -> Ended:
        """Waits for the end, brings about what comes from outside, and ends the whole group."""
        at = self._disturbance.after_seconds
        told = b""
        while True:
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            readable, _, _ = select.select([self._events], [], [], 0.0 if ended else _TICK_SECONDS)
            if readable:
                told += os.read(self._events, 64)
            if ended:
                break
            seconds = time.monotonic() - self._start
            if seconds > _PATIENCE_SECONDS:
                self._signal(signal.SIGKILL)
                raise TimeoutError(f"not done after {_PATIENCE_SECONDS} s, ended")
            if told.startswith(_NOW) or (at and seconds >= at):
                self._signal(SIGNALS[self._disturbance.kind])
                told, at = told.removeprefix(_NOW), 0.0
        self._signal(signal.SIGKILL)  # what it has left behind
        os.close(self._events)
        writes = int(told.removeprefix(_NOW) or 0)
        seconds = time.monotonic() - self._start
        return Ended(os.waitstatus_to_exitcode(status), seconds, writes)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)


def run(
    function: Callable[[], int | None],
    folder: Path,
    log: Path,
    disturbance: Disturbance = Disturbance(),
) -> Ended:
    """Starts a `Child` and waits for it."""
    return Child(function, folder, log, disturbance).wait()


def _be_the_child(function, folder, log, disturbance, events) -> None:
    code, counter = 70, None
    try:
        os.setsid()
        for number in SIGNALS.values():
            if number != signal.SIGKILL:
                signal.signal(
                    number,
                    signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL,
                )
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        if disturbance.max_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (disturbance.max_bytes,) * 2)
        counter = _Counter(str(folder), disturbance, events)
        sys.addaudithook(counter)
        code = function() or 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(events, b"%d" % (counter.writes if counter else 0))
        os._exit(code)


class _Counter:
    """An audit hook that counts writes below a folder, and disturbs."""

    def __init__(self, folder: str, disturbance: Disturbance, events: int):
        self._folder = folder
        self._disturbance = disturbance
        self._events = events
        self.writes = 0

    def __call__(self, event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if not flags & _WRITING:
                return
        elif event in _WRITES:
            path = arguments[0]
        else:
            return
        if not isinstance(path, str) or not path.startswith(self._folder):
            return
        self.writes += 1
        at = self._disturbance.after_writes
        if self._disturbance.kind == "disk full" and self.writes >= at:
            # What makes room again works also on a full disk.
            if event not in ("os.remove", "os.rmdir"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        elif self._disturbance.kind in SIGNALS and self.writes == at:
            if self._disturbance.kind == "kill" and at % 2:
                os.killpg(0, signal.SIGKILL)  # before this very write
            os.write(self._events, _NOW)  # a moment later, perhaps in the middle of it
