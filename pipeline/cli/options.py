"""Arguments and options that several commands take."""

from typing import Annotated

import typer

from components.errors import UserError
from components.text import one_line

DEFAULT_RECIPE = "digits"


def no_recipe(name: str | None) -> str | None:
    """The name of a version or a run; a recipe in its place would be looked for in another's.

    Raises:
        UserError: it is no such name.
    """
    if name and not name[0].isdigit():
        shown = one_line(name, 200)
        raise UserError(
            f"{shown} is no name of a version or a run, which begins with a digit; "
            f"a recipe is given as --recipe {shown}"
        )
    return name


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
RunArgument = Annotated[
    str | None,
    typer.Argument(help="The beginning of its name.", show_default="the last", callback=no_recipe),
]
VersionArgument = Annotated[
    str | None,
    typer.Argument(help="Its number.", show_default="what is served", callback=no_recipe),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Prints JSON, for programs.")]
WaitOption = Annotated[
    bool,
    typer.Option("--wait", help="Waits while another run of this recipe goes on."),
]
