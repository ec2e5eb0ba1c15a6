"""`graft run` and what goes with it."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import (
    DEFAULT_RECIPE,
    ConfigArgument,
    JsonOption,
    RecipeOption,
    RunArgument,
    SetOption,
    VerboseOption,
    WaitOption,
)


def run(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    wait: WaitOption = False,
    json: Annotated[
        bool, typer.Option("--json", help="Prints a JSON object per event, for programs.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Runs a recipe: from pictures to a served model, or to the gate that said no (exit code 1).

    With --verbose the gates that passed have a row each.
    """
    from components.errors import UserError
    from pipeline.commands.run import run_recipe

    if json and verbose:
        raise UserError("--verbose: the log would stand among the events of --json, leave one out")

    raise typer.Exit(run_recipe(config, set_ or [], verbose, wait, json))


def lr_find(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    phase: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The phase to find a rate for. Those before it are trained for one epoch each, "
            "at their own rates.",
            show_default="the first that has a learning rate",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="PNG file for the curve.", show_default="in runs/<recipe>/"
        ),
    ] = None,
    wait: WaitOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Suggests a learning rate: trains with a growing one for 100 steps and draws the loss.

    Nothing is trained for good and nothing is pushed. What it makes of the pictures on the way,
    the next `graft run` takes from the cache.
    """
    from pipeline.commands.lr_find import find_rate

    raise typer.Exit(find_rate(config, set_ or [], phase, output, verbose, wait))


def validate(config: ConfigArgument, set_: SetOption = None) -> None:
    """Checks all that a run needs without running it; prints the recipe in full, and its pictures.

    Weights from the internet are fetched, as a run would do.
    """
    from pipeline.commands.validate import validate_recipe

    validate_recipe(config, set_ or [])


def predict(
    pictures: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, patterns as '*.jpg', or - for a list on standard input.",
            metavar="PICTURES...",
        ),
    ],
    recipe: RecipeOption = DEFAULT_RECIPE,
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="A SavedModel folder to ask instead."),
    ] = None,
    set_: SetOption = None,
    json: Annotated[bool, typer.Option("--json", help="Prints a JSON object per picture.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Prints a CSV file.")] = False,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="PNG file for a contact sheet.")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Shows in the sheet what in each picture speaks for it."),
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Classifies pictures with the served model (exit code 1 if one cannot be)."""
    from components.errors import UserError
    from pipeline.commands.predict import predict_pictures

    if json and csv:
        raise UserError("--json and --csv are two ways to print one thing: choose one")
    output = "json" if json else "csv" if csv else "table"
    raise typer.Exit(
        predict_pictures(pictures, recipe, set_ or [], model, verbose, output, sheet, explain)
    )


def report(
    run: RunArgument = None,
    recipe: RecipeOption = DEFAULT_RECIPE,
    set_: SetOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "--out",  # as it was called once
            "-o",
            help="HTML file to write.",
            show_default="in runs/<recipe>/",
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Shows the page in the browser.")] = False,
    json: JsonOption = False,
) -> None:
    """Makes the page of a run: verdict, gates, curves, mistakes with pictures, data, origin."""
    from pipeline.commands.report import report_run

    report_run(recipe, set_ or [], run, output, open_, json)


def doctor(
    config: ConfigArgument = DEFAULT_RECIPE, set_: SetOption = None, verbose: VerboseOption = False
) -> None:
    """Tells whether this machine can run a recipe (exit code 1 if not)."""
    from pipeline.commands.doctor import examine

    raise typer.Exit(examine(config, set_ or [], verbose))
