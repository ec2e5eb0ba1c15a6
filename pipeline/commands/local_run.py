"""What all commands share that run nodes on this machine: checks, lock, log, and how they end."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from components import progress
from components.errors import Fault
from pipeline import preflight, processes, run_lock
from pipeline.config import Recipe
from pipeline.console import log_path, make_console, redirect_output
from pipeline.failures import exit_code, explain, report_request
from pipeline.preflight import Inspection, Scope
from pipeline.run_display import Display, RunDisplay
from pipeline.run_result import RunError

Work = Callable[[Console, Inspection, Display], int]

_STOPPED = (
    "Stopped. The same command goes on from here: finished steps come from the cache, and a "
    "training goes on after its last finished epoch."
)


def inspect(recipe: Recipe, scratch: Path | None = None) -> Inspection:
    """`preflight.inspect` without the words of TensorFlow, which it may have to import.

    Raises:
        UserError: see there.
        OSError: see there.
    """
    preflight.announce_download(recipe.data)
    with redirect_output(Path(os.devnull)):
        return preflight.inspect(recipe, Scope.MACHINE, scratch)


def run_locally(
    recipe: Recipe,
    title: str,
    work: Work,
    *,
    verbose: bool,
    wait: bool,
    make_display: Callable[[Console], Display] = RunDisplay,
) -> int:
    """Checks a recipe, then does something with it that nobody else does at the same time.

    Args:
        recipe: what to run.
        title: the first line to show.
        work: given the console, what the checks have opened, and the display of the nodes; returns
            an exit code.
        verbose: leaves the log on the terminal.
        wait: until an other run of this recipe has ended.
        make_display: of the nodes, and of what else there is to say.

    Returns:
        The exit code: of the work, or of an error in it that has been shown.

    Raises:
        UserError: the recipe cannot be run; nothing has been done.
        OSError: what the surroundings did before there was a log.
    """
    found = inspect(recipe)
    log_file = None if verbose else log_path(recipe.folder)
    stopped = False

    def say_waiting(holder: str) -> None:
        make_display(make_console()).say(f"{holder}; waiting for its end")

    with run_lock.hold(recipe.folder, wait, say_waiting) as waited:
        if waited:
            found = inspect(recipe)
        with redirect_output(log_file) as console:
            display = make_display(console)
            display.say(title)
            if log_file:
                display.say(f"Log: {log_file}")
            display.say("Starting TensorFlow and TFX …", style="dim")
            try:
                with display, progress.watched_by(display.step, display.epoch):
                    code = work(console, found, display)
            except KeyboardInterrupt:
                stopped, code = True, 130
            except SystemExit as error:
                stopped, code = True, error.code
            except Exception as error:
                code = _show_error(display, error, log_file)
            if stopped:
                with contextlib.suppress(SystemExit):  # rich's, where Ctrl-C ended `| tee` first
                    display.say(_STOPPED)
                processes.end_children()
    if stopped:
        # Threads of TensorFlow and Beam would go on, and write about it to the terminal.
        sys.stdout.flush()
        os._exit(code)
    return code


def _show_error(display: Display, error: Exception, log_file: Path | None) -> int:
    """Shows what went wrong in a run; mistakes that were found before it go on as they are."""
    bug = exit_code(error) == Fault.GRAFT.value
    if not bug and not isinstance(error, RunError):
        raise error
    logging.error("The run failed", exc_info=error)
    display.run_failed(explain(error))
    if bug:
        display.say(report_request(log_file or "above"))
    elif log_file:
        display.say(f"The log has the details: {log_file}")
    return exit_code(error)
