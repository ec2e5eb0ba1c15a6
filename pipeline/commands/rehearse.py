"""`graft rehearse`."""

import signal
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from components.errors import UserError
from pipeline.console import RunDisplay, log_path, redirect_output, show_result


def rehearse_package(
    path: Path,
    work: Path | None,
    overrides: list[str],
    pipeline_root: str,
    keep: bool,
    verbose: bool,
) -> int:
    """Runs a package step by step on this machine and shows how it goes.

    Args:
        path: the package.
        work: folder for what it leaves; None: `runs/<pipeline>/rehearsal`.
        overrides: `key=value` of run parameters.
        pipeline_root: URI below which artifacts go; empty: the package's, else the backend's.
        keep: leaves artifacts and pods behind.
        verbose: leaves this process' log on the terminal. Those of the steps always go to files.

    Returns:
        The exit code: 0 when every gate said yes, 1 when one said no or a step failed.

    Raises:
        UserError: the backend would not accept the package or a parameter; nothing has been run.
    """
    given = dict(_split(override) for override in overrides)
    # Ended from outside it must end its step too, which a mere signal would not let it do.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    from pipeline.kubeflow.package.documents import load_package

    package = load_package(path)
    work = work or Path("runs") / package.name / "rehearsal"
    with redirect_output(None if verbose else log_path(work)) as console:
        console.print(
            f"[bold]{escape(package.name)}[/]: {len(package.steps)} steps, one process each, "
            "under the rules of a Kubeflow Pipelines backend"
        )
        console.print("[dim]Starting TensorFlow and TFX …[/]")
        from pipeline.kubeflow.emulator import rehearsal

        run = rehearsal.Rehearsal(package, work, given, pipeline_root)
        _say(console, f"Logs: {escape(str(run.folder / 'logs'))}")
        try:
            with RunDisplay(console) as display:
                result = run.run(display, keep)
        except rehearsal.StepError as error:
            _say(console, f"[red]✗[/] {escape(str(error))}")
            _say(console, f"[dim]The end of {escape(str(error.log_file))}:[/]")
            _say(console, escape(error.tail))
            return 1
        except rehearsal.RunError as error:
            _say(console, f"[red]✗[/] {escape(str(error))}")
            return 1
        if result.message:
            _say(console, f"[red]✗[/] {escape(result.message)}")
        show_result(console, result, run.destination)
    return 0 if result.succeeded else 1


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False)


def _split(override: str) -> tuple[str, str]:
    name, equals, value = override.partition("=")
    if not equals or not name:
        raise UserError(f"--param {override}: write key=value, as in frozen_epochs=3")
    return name, value
