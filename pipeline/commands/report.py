"""`graft report`, and the page that `graft run` ends with."""

import webbrowser
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from components.errors import UserError
from components.text import one_line
from pipeline import run_history
from pipeline.config import Recipe, load_recipe
from pipeline.console import make_console, say, say_verbatim


def report_run(
    config: str,
    overrides: list[str],
    name: str | None,
    output: Path | None,
    show: bool,
    as_json: bool,
) -> None:
    """Makes the page of a run, or prints what it tells as JSON.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        name: the beginning of the run's name; None: the last one.
        output: the HTML file; None: in the recipe's folder.
        show: opens it in the browser.
        as_json: prints the facts and writes no page, unless `output` asks for one.

    Raises:
        UserError: there is no such run, or the page cannot be written.
    """
    from pipeline.report import page
    from pipeline.report.run_files import RunFiles

    recipe = load_recipe(config, overrides)
    run = run_history.find_run(recipe.folder.absolute(), name)
    files = RunFiles(run, recipe, config, tuple(overrides))
    console = make_console()
    if as_json:
        say_verbatim(console, page.as_json(files))
        if output is None:
            return
    path = output or page.default_path(files)
    try:
        page.write_page(files, path)
    except OSError as error:
        raise UserError(f"--output {path} cannot be written: {error.strerror}") from error
    if not as_json:
        say(console, f"Report: {path}")
    if show and not webbrowser.open(path.absolute().as_uri()):
        say(make_console(stderr=True), f"No browser could be started: open {path}", style="yellow")


def report_last(
    recipe: Recipe,
    config: str,
    overrides: list[str],
    since: datetime,
    tell: Callable[[str], None],
) -> None:
    """Makes the page of the run that began at a time; whatever goes wrong is told in a line.

    Args:
        recipe: that was run.
        config: its name or path.
        overrides: `key=value`, see `load_recipe`.
        since: with a time zone; earlier runs are not meant.
        tell: is given that line, or where the page is.
    """
    try:
        from pipeline.report import page
        from pipeline.report.run_files import RunFiles

        runs = run_history.list_runs(recipe.folder.absolute(), since)
        if not runs:  # nothing was begun
            return
        files = RunFiles(runs[0], recipe, config, tuple(overrides))
        path = page.default_path(files)
        page.write_page(files, path)
        tell(f"Report: {path}")
    except Exception as error:  # the run has ended, and how it did must be told
        tell(f"No report ({type(error).__name__}: {one_line(error)})")
