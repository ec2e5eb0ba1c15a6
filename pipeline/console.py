"""What a run shows on the terminal, and where everything else goes."""

import contextlib
import datetime
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from components.gates import Gate
from components.progress import Progress as Step
from components.text import printable
from pipeline.run_result import NodeReport, RunResult

_MARKS = {"pass": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}


def make_console(**options) -> Console:
    """A console that takes `:name:` in a path for what it is, not for an emoji."""
    return Console(emoji=False, **options)


def plain(text: object) -> str:
    """A text from outside, to stand in rich's markup: printable, and never markup itself."""
    return escape(printable(str(text)))


def say(console: Console, text: str, style: str = "") -> None:
    """Prints lines of text from outside as they are, however long they are."""
    for line in text.splitlines():
        console.print(plain(line), style=style, soft_wrap=True, highlight=False)


class RunDisplay:
    """One line per node, with a bar inside the long ones. A `Listener` of `local_runner`."""

    def __init__(self, console: Console):
        self._console = console
        self._progress = Progress(
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
        self._width = 0

    def __enter__(self) -> "RunDisplay":
        self._progress.start()
        return self

    def __exit__(self, *_) -> None:
        self._progress.stop()

    def run_started(self, node_ids: Sequence[str]) -> None:
        """Lines the columns up."""
        self._width = max(len(node_id) for node_id in node_ids)

    def node_started(self, node_id: str) -> None:
        """Starts the node's line."""
        if not self._console.is_terminal:
            self._console.print(f"  {node_id} …")
        self._node = self._progress.add_task(f"[bold]{node_id}", total=None, detail="")

    def step(self, step: Step) -> None:
        """Moves the bar inside the node: a watcher of `components.progress`."""
        if self._step is None or self._progress.tasks[-1].description != step.task:
            self._end_step()
            self._step = self._progress.add_task(step.task, detail="")
        self._progress.update(
            self._step, completed=step.done, total=step.total, detail=plain(step.detail)
        )

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
        self._progress.remove_task(self._node)
        how = "cached" if report.cached else "run"
        self._console.print(
            f"[green]✓[/] {report.node_id:<{self._width}}  {report.seconds:7.1f} s  {how:<6}  "
            f"{plain(report.summary)}",
            highlight=False,
            soft_wrap=True,
        )


def gates_table(gates: Sequence[Gate]) -> Table:
    """The gates of a run, one row each, with a mark for the verdict."""
    table = Table("", "gate", "finding", title="Gates", title_justify="left", title_style="bold")
    for gate in gates:
        table.add_row(_MARKS[gate.verdict], plain(gate.name), plain(gate.message))
    return table


def show_result(console: Console, result: RunResult, destination: Path) -> None:
    """How a run ended: its gates, and what is served now.

    Args:
        console: to print to.
        result: of the run.
        destination: folder of the served versions.
    """
    console.print(gates_table(result.gates))
    if result.pushed_path:
        text = f"[green]Pushed[/] to {plain(result.pushed_path)}"
    elif result.already_served:
        text = f"[green]Served already[/] as {plain(destination / result.already_served)}"
    else:
        text = f"[red]Not pushed.[/] What {plain(destination)} serves is as it was."
    console.print(text, soft_wrap=True, highlight=False)


def log_path(folder: Path) -> Path:
    """Where the log of a command goes that begins now.

    Args:
        folder: of the recipe's runs.
    """
    return folder / "logs" / f"{datetime.datetime.now():%Y-%m-%dT%H-%M-%S}.log"


@contextlib.contextmanager
def redirect_output(log_file: Path | None) -> Iterator[Console]:
    """Sends what Python, absl, Beam and TensorFlow's C++ write to a file.

    Args:
        log_file: appended to; None leaves everything on the terminal.

    Yields:
        The console to print to: standard output, as it was.
    """
    if log_file is None:
        with _logging_to(logging.StreamHandler()):
            yield make_console()
        return
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        terminal = stack.enter_context(open(os.dup(1), "w", encoding="utf-8"))
        log = stack.enter_context(open(log_file, "a", buffering=1, encoding="utf-8"))
        # Both Python's streams and the descriptors below them, which are all that C++ knows.
        stack.enter_context(contextlib.redirect_stdout(log))
        stack.enter_context(contextlib.redirect_stderr(log))
        stack.enter_context(_descriptor_to(1, log.fileno()))
        stack.enter_context(_descriptor_to(2, log.fileno()))
        stack.enter_context(_logging_to(logging.StreamHandler(log)))
        yield make_console(file=terminal)


@contextlib.contextmanager
def _descriptor_to(descriptor: int, target: int) -> Iterator[None]:
    saved = os.dup(descriptor)
    os.dup2(target, descriptor)
    try:
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)


class _Formatter(logging.Formatter):
    """Writes names of files and classes so that they cannot steer the terminal that shows them."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).split("\n")))


@contextlib.contextmanager
def _logging_to(handler: logging.Handler) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
