"""The steps of a run on the terminal, while it runs."""

import datetime
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from pipeline.kubeflow.client.run_status import RunStatus, State, StepStatus, read_status

_MARKS = {
    State.WAITING: "[dim]·[/]",
    State.STARTING: "[cyan]◌[/]",
    State.RUNNING: "[cyan]●[/]",
    State.SUCCEEDED: "[green]✓[/]",
    State.FAILED: "[red]✗[/]",
    State.SKIPPED: "[dim]-[/]",
    State.CANCELED: "[yellow]-[/]",
}


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


class StepsDisplay:
    """A table that keeps itself up to date; where there is no terminal, a line per change.

    A `RunObserver`.
    """

    def __init__(
        self,
        console: Console,
        step_names: Sequence[str],
        now: Callable[[], datetime.datetime] = _now,
    ):
        self._console, self._now = console, now
        self._width = max(map(len, step_names))
        self._trouble = ""
        self._names = step_names
        self.status = RunStatus("", tuple(StepStatus(n, State.WAITING) for n in step_names))
        self._live = Live(
            get_renderable=self.table,
            console=console,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> "StepsDisplay":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self, run: Any) -> bool:
        """Shows how the run stands now; returns whether it has ended."""
        before, self.status, self._trouble = self.status, read_status(run, self._names), ""
        if not self._console.is_terminal:
            for old, new in zip(before.steps, self.status.steps, strict=True):
                if new.state is not old.state:
                    self._print_line(new)
        return self.status.ended

    def no_answer(self, why: str) -> None:
        """Says that the table is old; the run itself goes on."""
        if not self._console.is_terminal and not self._trouble:
            self._console.print(f"  {escape(why)}; asking again", soft_wrap=True)
        self._trouble = f"{why}; asking again"

    def table(self) -> Table:
        """One row per step: its state, and how long it has been running or ran."""
        table = Table("", "step", "state", caption=escape(self._trouble))
        table.add_column("time", justify="right")
        for step in self.status.steps:
            table.add_row(
                _MARKS[step.state], escape(step.name), step.state.value, self._duration(step)
            )
        return table

    def _duration(self, step: StepStatus) -> str:
        seconds = step.seconds(self._now())
        return "" if seconds is None else duration(seconds)

    def _print_line(self, step: StepStatus) -> None:
        self._console.print(
            f"{_MARKS[step.state]} {escape(step.name):<{self._width}}  {step.state.value:<9}  "
            f"{self._duration(step)}".rstrip(),
            soft_wrap=True,
        )


def duration(seconds: float) -> str:
    """`1:02:03`, without the hours where there are none."""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"
