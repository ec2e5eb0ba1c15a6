"""`graft predict`."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from components import destinations
from components.errors import UserError
from pipeline.commands.png_output import check_png
from pipeline.commands.predict_files import expand
from pipeline.config import load_recipe
from pipeline.console import make_console, redirect_output, say, say_verbatim
from pipeline.shell_lines import shell_line

OutputFormat = Literal["table", "json", "csv"]

_NO_HEAT_MAPS = (
    "Note: the model has no signature `explain`, because its backbone gives one vector per picture "
    "or an earlier version of Graft made it: the sheet is without heat maps"
)


def predict_pictures(
    pictures: Sequence[str],
    config: str,
    overrides: list[str],
    model: Path | None,
    verbose: bool,
    output: OutputFormat = "table",
    sheet: Path | None = None,
    explain: bool = False,
) -> int:
    """Asks a served model about pictures, as its clients do, and prints what it says.

    Args:
        pictures: files, folders, patterns, `-`: see `predict_files.expand`.
        config: the recipe whose served model answers, unless `model` is given.
        overrides: `key=value`, see `load_recipe`.
        model: a SavedModel folder.
        verbose: leaves TensorFlow's log on the terminal.
        output: what is printed.
        sheet: PNG file for a contact sheet; None: there is none.
        explain: whether the sheet shows heat maps.

    Returns:
        The exit code: 0, or 1 when a picture could not be classified.

    Raises:
        UserError: there is no model to ask, it cannot be loaded, or there is no picture.
    """
    if explain and sheet is None:
        raise UserError("--explain: heat maps are drawn into the contact sheet, add --sheet FILE")
    if sheet:
        check_png(sheet, "--sheet")
    folder = model or _champion(config, overrides)
    paths = expand(pictures, sys.stdin.buffer)
    with redirect_output(None if verbose else Path("/dev/null")) as console:
        failed, notes = _predict(folder, paths, console, output, sheet, explain)
    # What is printed for programs stays as it is.
    notes_console = make_console(stderr=output != "table")
    for note in notes:
        say(notes_console, note, style="yellow" if note.startswith("Note") else "")
    return 1 if failed else 0


def _predict(
    folder: Path,
    paths: list[str],
    console: Console,
    output: OutputFormat,
    sheet: Path | None,
    explain: bool,
) -> tuple[int, list[str]]:
    """Number of files without an answer, and what there is to say at the end."""
    from pipeline.commands.predict_model import Model
    from pipeline.commands.predict_output import Csv, JsonLines, Table
    from pipeline.commands.predict_sheet import Sheet

    asked = Model(folder, explain)
    if output == "table":
        say(console, f"Model: {folder}")
        width = console.width if console.is_terminal else None
        form = Table(asked.classes, asked.abstains, asked.has_label_sets, width)
    else:
        form = (JsonLines if output == "json" else Csv)(asked.classes)
    drawn = Sheet(asked.classes, asked.explains) if sheet else None
    if heading := form.heading():
        say_verbatim(console, heading, "bold" if output == "table" else "")
    failed = unsure = 0
    start = time.monotonic()
    with _progress(console) as progress:
        for answer in progress.track(asked.answers(paths), total=len(paths)):
            say_verbatim(console, form.row(answer), "red" if answer.error else "")
            failed += bool(answer.error)
            unsure += bool(answer.unsure)
            if drawn:
                drawn.add(answer)
    notes = [_summary(len(paths), failed, unsure, time.monotonic() - start)]
    if drawn:
        drawn.write(sheet, str(folder))
        notes.append(f"Contact sheet: {sheet}")
    if explain and not asked.explains:
        notes.append(_NO_HEAT_MAPS)
    return failed, notes


def _progress(console: Console) -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # `redirect_output` sends libraries' output to a file; rich would bring it back here.
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _summary(pictures: int, failed: int, unsure: int, seconds: float) -> str:
    parts = [f"{pictures:,} picture{'s' * (pictures != 1)} in {seconds:.1f} s"]
    if unsure:
        parts.append(f"{unsure:,} unsure")
    if failed:
        parts.append(f"{failed:,} of {pictures:,} could not be classified")
    return ", ".join(parts)


def _champion(config: str, overrides: list[str]) -> Path:
    recipe = load_recipe(config, overrides)
    champion = destinations.local_champion(recipe.push_destination)
    if champion is None:
        run = shell_line("run", config, overrides=overrides)
        raise UserError(
            f"nothing is served at {recipe.push_destination} yet: `{run}` first, or "
            "name another recipe with --recipe or a model with --model"
        )
    return champion
