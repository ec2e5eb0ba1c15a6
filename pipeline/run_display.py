"""What a run shows on the terminal while it runs, and when it has ended."""

import datetime
import math
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from components.destinations import place_of
from components.progress import Epoch
from components.progress import Progress as Step
from pipeline.console import plain, say
from pipeline.gates_table import gates_table
from pipeline.node_ids import GROUPS
from pipeline.run_result import Listener, NodeReport, RunResult

_GROUP_OF = {node_id: group for group, node_ids in GROUPS.items() for node_id in node_ids}
# Of a training, those that ended last.
_EPOCHS_SHOWN = 5
_FIGURES = {
    "loss": "loss",
    "accuracy": "accuracy",
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
}


class Display(Listener, Protocol):
    """Who shows a run: a `Listener` that also follows what goes on inside of the nodes."""

    def __enter__(self) -> "Display":
        """Begins to show."""

    def __exit__(self, *_) -> None:
        """Ends what moves."""

    def say(self, text: str, style: str = "") -> None:
        """Tells what belongs to no node."""

    def step(self, step: Step) -> None:
        """How far a node is: a watcher of `components.progress`."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch has ended: a watcher of `components.progress`."""

    def run_ended(self, result: RunResult, destination: Path | str) -> None:
        """How the run ended that served, or did not, in a folder of versions."""

    def run_failed(self, message: str) -> None:
        """What kept the run from its end."""


class RunDisplay:
    """One line per node, under the names of their groups, with a bar inside the long ones.

    A `Display`. Without a terminal there are the lines alone.
    """

    def __init__(self, console: Console, unfold: bool = False):
        """Makes the display.

        Args:
            console: to print to.
            unfold: shows every gate that passed in a row of its own.
        """
        self._console, self._unfold = console, unfold
        self._progress = _Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            # `redirect_output` sends libraries' output to a file; rich would bring it back here.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._node = self._step = None
        self._group, self._width = "", 0

    def __enter__(self) -> "RunDisplay":
        self._progress.start()
        return self

    def __exit__(self, *_) -> None:
        self._progress.stop()

    def say(self, text: str, style: str = "") -> None:
        """Prints lines."""
        say(self._console, text, style)

    def run_started(self, node_ids: Sequence[str]) -> None:
        """Lines the columns up."""
        self._width = max(len(node_id) for node_id in node_ids)

    def node_started(self, node_id: str) -> None:
        """Starts the node's line, and before it that of its group."""
        group = _GROUP_OF.get(node_id, self._group)
        if group != self._group:
            self._group = group
            self._console.print(f"[bold]{group}[/]")
        if not self._console.is_terminal:
            self._console.print(f"  {node_id} …")
        self._node = self._progress.add_task(f"[bold]{node_id}", total=None, detail="")

    def step(self, step: Step) -> None:
        """Moves the bar inside the node."""
        task = plain(step.task)
        if self._step is None or self._progress.tasks[-1].description != task:
            self._end_step()
            self._step = self._progress.add_task(task, detail="")
        detail = plain(step.detail)
        if step.seconds_left is not None:
            detail += f", {time_left(step.seconds_left)} left"
        self._progress.update(self._step, completed=step.done, total=step.total, detail=detail)

    def epoch(self, epoch: Epoch) -> None:
        """Takes the epoch into the table above the bars."""
        self._progress.epochs.append(epoch)

    def _end_step(self) -> None:
        if self._step is not None:
            self._progress.remove_task(self._step)
            self._step = None

    def noticed(self, text: str) -> None:
        """Prints a line above the node's."""
        say(self._console, f"! {text}", style="yellow")

    def node_finished(self, report: NodeReport) -> None:
        """Ends the node's line."""
        self._end_step()
        self._progress.epochs.clear()
        self._progress.remove_task(self._node)
        how = "cached" if report.cached else "run"
        self._console.print(
            f"[green]✓[/] {report.node_id:<{self._width}}  {report.seconds:7.1f} s  {how:<6}  "
            f"{plain(report.summary)}",
            highlight=False,
            soft_wrap=True,
        )

    def run_ended(self, result: RunResult, destination: Path | str) -> None:
        """Prints the gates, and what is served now."""
        self._console.print(gates_table(result.gates, self._unfold))
        if result.pushed_path:
            text = f"[green]Pushed[/] to {plain(result.pushed_path)}"
        elif result.already_served:
            text = (
                f"[green]Served already[/] as {plain(place_of(destination, result.already_served))}"
            )
        else:
            text = f"[red]Not pushed.[/] What {plain(destination)} serves is as it was."
        self._console.print(text, soft_wrap=True, highlight=False)

    def run_failed(self, message: str) -> None:
        """Prints the message."""
        say(self._console, f"✗ {message}", style="red")


class _Bars(Progress):
    """Bars with the last epochs above them.

    Attributes:
        epochs: those that ended last.
    """

    def __init__(self, *columns, **options):
        self.epochs: deque[Epoch] = deque(maxlen=_EPOCHS_SHOWN)
        super().__init__(*columns, **options)

    def get_renderables(self) -> Iterable[RenderableType]:
        if self.epochs:
            yield epochs_table(list(self.epochs))
        yield from super().get_renderables()


def epochs_table(epochs: Sequence[Epoch]) -> Table:
    """A row per epoch with its figures."""
    shown = [name for name in _FIGURES if any(name in epoch.figures for epoch in epochs)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  epoch")
    for name in shown:
        table.add_column(_FIGURES[name], justify="right")
    for epoch in epochs:
        figures = [epoch.figures.get(name, math.nan) for name in shown]
        title = f"  {plain(epoch.phase)} {epoch.number} of {epoch.of}"
        table.add_row(title, *(f"{figure:.4f}" for figure in figures))
    return table


def time_left(seconds: float) -> str:
    """`0:01:23`, rounded up."""
    return str(datetime.timedelta(seconds=math.ceil(seconds)))
