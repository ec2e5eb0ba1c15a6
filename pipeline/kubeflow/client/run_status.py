"""How the steps of a run stand, read from what the API tells about the workflow below it.

The API lists the workflow's nodes: for a step `Trainer` there is `Trainer-driver`, which decides
whether the cache has it, and `Trainer`, inside which a node `executor` is the pod that works.
"""

import dataclasses
import datetime
import enum
from collections.abc import Sequence
from typing import Any

from components.text import one_line

DRIVER = "-driver"
_ENDED = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")
# Unset times come as the years 1 and 1970.
_NO_TIME_BEFORE = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)


class State(enum.Enum):
    """How far a step is, as it is shown to the user."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELED = "canceled"


@dataclasses.dataclass(frozen=True)
class StepStatus:
    """How one step stands.

    Attributes:
        name: of the step.
        state: how far it is.
        started: when it began; None if it has not.
        ended: when it ended; None if it has not.
        message: what the API says about a failure; mostly nothing, the log does.
        driver_failed: the step failed before its container was started.
    """

    name: str
    state: State
    started: datetime.datetime | None = None
    ended: datetime.datetime | None = None
    message: str = ""
    driver_failed: bool = False

    def seconds(self, now: datetime.datetime) -> float | None:
        """How long it has been running, or ran."""
        if self.started is None:
            return None
        return max(0.0, ((self.ended or now) - self.started).total_seconds())


@dataclasses.dataclass(frozen=True)
class RunStatus:
    """How a run stands.

    Attributes:
        state: as the API says it: PENDING, RUNNING, SUCCEEDED, SKIPPED, FAILED, CANCELING,
            CANCELED, PAUSED, or nothing at first.
        steps: one each, in the package's order.
        message: what the API says about the failure of the run; mostly nothing.
    """

    state: str
    steps: tuple[StepStatus, ...]
    message: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing changes any more."""
        return self.state in _ENDED

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.state in ("SUCCEEDED", "SKIPPED")

    @property
    def failed_steps(self) -> list[StepStatus]:
        """Those that failed, the earliest first."""
        failed = [step for step in self.steps if step.state is State.FAILED]
        return sorted(failed, key=lambda s: s.ended or s.started or _NO_TIME_BEFORE)


def read_status(run: Any, step_names: Sequence[str]) -> RunStatus:
    """Reads how a run stands.

    Args:
        run: a `V2beta1Run` of kfp.
        step_names: of the package, in order.
    """
    nodes = {node.display_name: node for node in task_details(run)}
    ended = run.state in _ENDED
    steps = tuple(_step(name, nodes, ended) for name in step_names)
    return RunStatus(run.state or "", steps, _error_of(run))


def task_details(run: Any) -> list[Any]:
    """The nodes of a run's workflow; none before it has begun."""
    return (run.run_details.task_details if run.run_details else None) or []


def _step(name: str, nodes: dict[str, Any], run_ended: bool) -> StepStatus:
    node, driver = nodes.get(name), nodes.get(name + DRIVER)
    if driver is not None and driver.state == "FAILED":
        started, ended = _time(driver.start_time), _time(driver.end_time)
        return StepStatus(name, State.FAILED, started, ended, _error_of(driver), True)
    if node is None or node.state in (None, "RUNTIME_STATE_UNSPECIFIED"):
        # Behind a failure nodes are there without a state: the workflow has left them out.
        under_way = driver is not None and driver.state in ("PENDING", "RUNNING", "SUCCEEDED")
        state = State.STARTING if under_way and not run_ended else State.WAITING
        return StepStatus(name, State.SKIPPED if run_ended else state)
    state = _STATES.get(node.state, State.RUNNING)
    ended = None if state is State.RUNNING else _time(node.end_time)
    return StepStatus(name, state, _time(node.start_time), ended, _error_of(node))


_STATES = {
    "PENDING": State.STARTING,
    "SUCCEEDED": State.SUCCEEDED,
    "SKIPPED": State.SKIPPED,
    "FAILED": State.FAILED,
    "CANCELED": State.CANCELED,
}


def _time(value: datetime.datetime | None) -> datetime.datetime | None:
    return value if value and value > _NO_TIME_BEFORE else None


def _error_of(thing: Any) -> str:
    """The message of an object's error, else of the last of its earlier states that has one."""
    states = reversed(getattr(thing, "state_history", None) or [])
    for holder in (thing, *states):
        error = getattr(holder, "error", None)
        if error is not None and error.message:
            return one_line(error.message)
    return ""
