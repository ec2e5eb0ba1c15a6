"""Arguments and options that several commands take."""

from typing import Annotated

import typer

DEFAULT_RECIPE = "digits"

ConfigArgument = Annotated[
    str, typer.Argument(help="Name of a recipe that comes with Graft, or the path of a YAML file.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Overrides a key, as training.unfrozen.epochs=3. Repeatable.",
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Shows the log of TensorFlow, TFX and Beam instead of filing it."
    ),
]
RecipeOption = Annotated[
    str, typer.Option("--recipe", "-r", help="The recipe whose served model it is about.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Prints JSON, for programs.")]
WaitOption = Annotated[
    bool,
    typer.Option("--wait", help="Waits while another run of this recipe goes on."),
]
