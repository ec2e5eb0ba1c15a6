"""`graft data`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import (
    DEFAULT_RECIPE,
    ConfigArgument,
    SetOption,
    VerboseOption,
    WaitOption,
)

app = typer.Typer(help="The pictures of a recipe, and their labels.", no_args_is_help=True)


@app.command("show")
def data_show(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="PNG file for the contact sheet.",
            show_default="runs/<recipe>/data.png",
        ),
    ] = None,
    wait: WaitOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Shows what a recipe's pictures are: classes, splits, copies, outliers, augmentation.

    Nothing is trained. What it makes of the pictures on the way, the next `graft run` takes from
    the cache.
    """
    from pipeline.commands.data_show import show_data

    raise typer.Exit(show_data(config, set_ or [], output, verbose, wait))


@app.command("labels")
def data_labels(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many pictures to draw.")] = 90,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="PNG file for the contact sheet; the CSV file lies beside it.",
            show_default="runs/<recipe>/labels.png",
        ),
    ] = None,
    wait: WaitOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Finds labels that are probably wrong, draws them and lists them in a CSV file."""
    from pipeline.commands.data_labels import review_labels

    raise typer.Exit(review_labels(config, set_ or [], top, output, verbose, wait))


@app.command("relabel")
def data_relabel(
    fixes: Annotated[
        Path,
        typer.Argument(
            help="CSV file with the columns path and label (or suggested), and action (relabel or "
            "drop) if you like."
        ),
    ],
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="The recipe whose pictures they are.")
    ] = DEFAULT_RECIPE,
    set_: SetOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The overlay to write or add to.",
            show_default="data.fixes, or <recipe>.fixes.csv beside the recipe",
        ),
    ] = None,
) -> None:
    """Adds fixes of labels to the overlay that `data.fixes` applies; pictures stay as they are."""
    from pipeline.commands.data_relabel import relabel

    relabel(fixes, recipe, set_ or [], output)
