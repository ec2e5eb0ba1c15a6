"""Waits for a run, with patience for a server that does not answer now and then."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from pipeline.kubeflow.client.kfp_client import UnavailableError

# Seconds. A node or a proxy that restarts is back within minutes; a training goes on for hours.
_LONGEST_PAUSE = 60.0
PATIENCE = 1800.0


class WaitTimeoutError(Exception):
    """The run has not ended in the time that it was given."""


class Listener(Protocol):
    """Sees how the run goes."""

    def update(self, run: Any) -> bool:
        """An answer of the API; returns whether the run has ended."""

    def no_answer(self, why: str) -> None:
        """There was none; it is asked again."""


def wait_for(
    get_run: Callable[[], Any],
    listener: Listener,
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
        listener: told every answer.
        poll_seconds: between two questions; with no answer twice as long each time, up to a minute.
        timeout_seconds: how long to wait at most.
        patience_seconds: how long to go on without any answer.
        sleep: for tests.
        clock: for tests, in seconds.

    Returns:
        The run as it ended.

    Raises:
        WaitTimeoutError: the time is over.
        ApiError: the API says no, or has said nothing for too long.
    """
    start = answered = clock()
    pause = poll_seconds
    while True:
        try:
            run = get_run()
        except UnavailableError as error:
            if clock() - answered > patience_seconds:
                raise
            listener.no_answer(str(error))
            pause = min(2 * pause, max(_LONGEST_PAUSE, poll_seconds))
        else:
            answered, pause = clock(), poll_seconds
            if listener.update(run):
                return run
        if timeout_seconds is not None:
            left = start + timeout_seconds - clock()
            if left <= 0:
                raise WaitTimeoutError
            pause = min(pause, left)
        sleep(pause)
