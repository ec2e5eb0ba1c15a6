"""Waits for a run, with patience for a server that does not answer now and then."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from pipeline.kubeflow.client.connection import UnavailableError

# Seconds. A node or a proxy that restarts is back within minutes; a training goes on for hours.
_LONGEST_PAUSE = 60.0
PATIENCE = 1800.0


class WaitTimeoutError(Exception):
    """The run has not ended in the time that it was given."""


class RunObserver(Protocol):
    """Told about every answer, and about every question without one."""

    def update(self, run: Any) -> bool:
        """Takes the run as the API describes it; returns whether it has ended."""

    def no_answer(self, why: str) -> None:
        """Takes the reason why the server did not answer; it will be asked again."""


def wait_for(
    get_run: Callable[[], Any],
    observer: RunObserver,
    *,
    poll_seconds: float,
    timeout_seconds: float | None = None,
    patience_seconds: float = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Any:
    """Asks for a run until it has ended.

    Args:
        get_run: asks the API.
        observer: told about every answer.
        poll_seconds: between two questions; with no answer twice as long each time, up to a minute.
        timeout_seconds: how long to wait at most; None: without limit.
        patience_seconds: how long to go on since the last answer.
        sleep: replaced by tests.
        clock: seconds; replaced by tests.

    Returns:
        The run as it ended.

    Raises:
        WaitTimeoutError: the time is over.
        ApiError: the API refuses, or has not answered for longer than the patience.
    """
    start = answered = clock()
    pause = poll_seconds
    while True:
        try:
            run = get_run()
        except UnavailableError as error:
            if clock() - answered > patience_seconds:
                raise
            observer.no_answer(str(error))
            pause = min(2 * pause, max(_LONGEST_PAUSE, poll_seconds))
        else:
            answered, pause = clock(), poll_seconds
            if observer.update(run):
                return run
        if timeout_seconds is not None:
            left = start + timeout_seconds - clock()
            if left <= 0:
                raise WaitTimeoutError
            pause = min(pause, left)
        sleep(pause)
