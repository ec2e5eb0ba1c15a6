"""What a run shows on the terminal, and where everything else goes."""

import contextlib
import logging
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence

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

from components.progress import Progress as Step
from components.gates import Gate


class RunDisplay:
    """One line per node, with a progress bar inside the long ones. A `Listener` of `local_runner`."""

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
        )
        self._task = None
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
        self._task = self._progress.add_task(f"[bold]{node_id}", total=None, detail="")

    def step(self, step: Step) -> None:
        """Moves the bar inside the node: a watcher of `components.progress`."""
        if self._task is not None:
            description = f"[bold]{escape(step.task)}"
            self._progress.update(
                self._task,
                description=description,
                completed=step.done,
                total=step.total,
                detail=step.detail,
            )

    def node_finished(self, report) -> None:
        """Ends the node's line."""
        self._progress.remove_task(self._task)
        self._task = None
        how = "cached" if report.cached else "run"
        self._console.print(
            f"[green]✓[/] {report.node_id:<{self._width}}  {report.seconds:7.1f} s  {how:<6}  {escape(report.figure)}",
            highlight=False,
            soft_wrap=True,
        )


def gates_table(gates: Sequence[Gate]) -> Table:
    """The gates of a run, one row each."""
    table = Table("", "gate", "finding", title="Gates", title_justify="left", title_style="bold")
    for gate in gates:
        mark = "[green]✓[/]" if gate.passed else "[red]✗[/]"
        table.add_row(mark, escape(gate.name), escape(gate.message))
    return table


@contextlib.contextmanager
def noise_to(log_file: pathlib.Path | None) -> Iterator[Console]:
    """Sends what Python, absl, Beam and TensorFlow's C++ write to a file, and leaves the terminal to the console.

    Args:
        log_file: appended to; None leaves everything on the terminal.

    Yields:
        The console to print to: standard output, as it was.
    """
    if log_file is None:
        logging.basicConfig(level=logging.INFO, force=True)
        yield Console()
        return
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    terminal, error = os.dup(1), os.dup(2)
    with (
        open(terminal, "w", encoding=sys.stdout.encoding or "utf-8", closefd=False) as out,
        open(log_file, "ab") as log,
    ):
        # File descriptors, because C++ knows nothing of sys.stderr.
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
        )
        try:
            yield Console(file=out)
        finally:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(terminal, 1)
            os.dup2(error, 2)
    os.close(terminal)
    os.close(error)
