"""`graft schema`."""

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

app = typer.Typer(help="What the examples must look like.", no_args_is_help=True)


@app.command("infer")
def schema_infer(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write.", show_default="standard output"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Writes over a file.")] = False,
    wait: WaitOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Prints the schema that a recipe's pictures happen to have, beside the curated one."""
    from pipeline.commands.schema import infer_schema

    raise typer.Exit(infer_schema(config, set_ or [], output, force, verbose, wait))


@app.command("check")
def schema_check(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    schema: Annotated[
        Path | None,
        typer.Option(help="The schema to check against.", show_default="the curated one"),
    ] = None,
    wait: WaitOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Checks a recipe's pictures against the schema (exit code 1 if they are not as it says)."""
    from pipeline.commands.schema import check_schema

    raise typer.Exit(check_schema(config, set_ or [], schema, verbose, wait))
