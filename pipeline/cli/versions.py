"""`graft versions`, `verify` and `reproduce`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import (
    DEFAULT_RECIPE,
    ConfigArgument,
    JsonOption,
    RecipeOption,
    SetOption,
    VerboseOption,
    VersionArgument,
    WaitOption,
    no_recipe,
)

app = typer.Typer(help="The served versions of a model.", no_args_is_help=True)


@app.command("list")
def versions_list(
    config: ConfigArgument = DEFAULT_RECIPE, set_: SetOption = None, json: JsonOption = False
) -> None:
    """Lists the served versions of a recipe's model, newest first."""
    from pipeline.commands.versions import list_versions

    list_versions(config, set_ or [], json)


@app.command("show")
def versions_show(
    version: VersionArgument = None,
    recipe: RecipeOption = DEFAULT_RECIPE,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Shows when a version was pushed, what it was made of, and what its gates said."""
    from pipeline.commands.versions import show_version

    show_version(recipe, set_ or [], version, json)


@app.command("diff")
def versions_diff(
    first: Annotated[str, typer.Argument(help="Number of a version.", callback=no_recipe)],
    second: Annotated[str, typer.Argument(help="Number of another.", callback=no_recipe)],
    recipe: RecipeOption = DEFAULT_RECIPE,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Shows in what two versions differ: settings, inputs, code, libraries, findings of gates."""
    from pipeline.commands.versions import diff_versions

    diff_versions(recipe, set_ or [], first, second, json)


@app.command("rollback")
def versions_rollback(
    version: Annotated[
        str | None,
        typer.Argument(
            help="Its number.", show_default="the one before what is served", callback=no_recipe
        ),
    ] = None,
    recipe: RecipeOption = DEFAULT_RECIPE,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the version.")] = "",
    set_: SetOption = None,
) -> None:
    """Serves an older version again, under a new number, since servers take the highest.

    The model that is taken back is not pushed again by a later run of the same recipe, nor is it
    what the next rollback goes to unless it is named.
    """
    from pipeline.commands.versions import roll_back

    roll_back(recipe, set_ or [], version, reason)


@app.command("prune")
def versions_prune(
    keep: Annotated[int, typer.Option(help="How many of the newest stay.")],
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
) -> None:
    """Removes all versions but the newest; what is known of them stays."""
    from pipeline.commands.versions import prune_versions

    prune_versions(config, set_ or [], keep)


def reproduce(
    version: Annotated[str, typer.Argument(help="Its number.", callback=no_recipe)],
    recipe: RecipeOption = DEFAULT_RECIPE,
    set_: SetOption = None,
    wait: WaitOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Trains a version again from its record and compares the weights (exit code 1 if others).

    Nothing is pushed. On one processor, with the same libraries, they are equal to the byte.
    """
    from pipeline.commands.reproduce import reproduce as reproduce_version

    raise typer.Exit(reproduce_version(recipe, set_ or [], version, verbose, wait))


def verify(
    version: VersionArgument = None,
    recipe: RecipeOption = DEFAULT_RECIPE,
    key: Annotated[
        Path | None,
        typer.Option(
            help="Public key in PEM, with which it must be signed.",
            show_default="that of push.sign.key",
        ),
    ] = None,
    set_: SetOption = None,
) -> None:
    """Proves that a version and its evidence are to the byte what was pushed (exit code 2 if not).

    Somebody who can write there can change the record as well, but cannot sign it: see `--key`.
    """
    from pipeline.commands.versions import verify as verify_version

    verify_version(recipe, set_ or [], version, key)
