"""`graft runs`."""

from typing import Annotated

import typer

from pipeline.cli.options import (
    DEFAULT_RECIPE,
    ConfigArgument,
    JsonOption,
    RecipeOption,
    RunArgument,
    SetOption,
)

app = typer.Typer(help="What runs left on this machine.", no_args_is_help=True)


@app.command("list")
def runs_list(
    config: ConfigArgument = DEFAULT_RECIPE, set_: SetOption = None, json: JsonOption = False
) -> None:
    """Lists the runs of a recipe, newest first: how each ended and what it alone keeps."""
    from pipeline.commands.runs import list_runs

    list_runs(config, set_ or [], json)


@app.command("show")
def runs_show(
    run: RunArgument = None,
    recipe: RecipeOption = DEFAULT_RECIPE,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Shows what the nodes of a run did and what its gates found."""
    from pipeline.commands.runs import show_run

    show_run(recipe, set_ or [], run, json)


@app.command("prune")
def runs_prune(
    keep: Annotated[int, typer.Option(help="How many of the last runs keep all they need.")],
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
) -> None:
    """Removes what only older runs need; served versions and the cache of the last run stay."""
    from pipeline.commands.runs import prune_runs

    prune_runs(config, set_ or [], keep)
