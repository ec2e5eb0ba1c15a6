"""The command `graft`. TensorFlow and TFX are imported inside the commands that need them."""

import enum
import pathlib
from typing import Annotated

import typer

app = typer.Typer(
    name="graft",
    help="Fine-tunes a pretrained image network on your pictures and serves it only when it has "
    "passed every gate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
versions_app = typer.Typer(help="The served versions of a model.", no_args_is_help=True)
app.add_typer(versions_app, name="versions")

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


@app.command()
def run(
    config: ConfigArgument = DEFAULT_RECIPE, set_: SetOption = None, verbose: VerboseOption = False
) -> None:
    """Runs a recipe: from pictures to a served model, or to the gate that said no (exit code 1)."""
    from pipeline.commands.run import run_recipe

    raise typer.Exit(run_recipe(config, set_ or [], verbose))


class Phase(str, enum.Enum):
    """A phase of training."""

    FROZEN = "frozen"
    UNFROZEN = "unfrozen"


@app.command("lr-find")
def lr_find(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    phase: Annotated[
        Phase,
        typer.Option(
            help="The phase to find a rate for. For `unfrozen` the head is trained for one epoch "
            "first, at the rate of the frozen phase."
        ),
    ] = Phase.FROZEN,
    output: Annotated[
        pathlib.Path | None,
        typer.Option(
            "--output", "-o", help="PNG file for the curve.", show_default="in the recipe's folder"
        ),
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Suggests a learning rate: trains with a growing one for 100 steps and draws the loss.

    Nothing is trained for good and nothing is pushed. What it makes of the pictures on the way,
    the next `graft run` takes from the cache.
    """
    from pipeline.commands.lr_find import find_rate

    raise typer.Exit(find_rate(config, set_ or [], phase.value, output, verbose))


@app.command()
def validate(config: ConfigArgument, set_: SetOption = None) -> None:
    """Checks a recipe without running it; prints it in full, and what its data source holds."""
    from pipeline.commands.validate import validate_recipe

    validate_recipe(config, set_ or [])


@app.command()
def predict(
    images: Annotated[
        list[pathlib.Path], typer.Argument(help="Pictures to classify.", metavar="IMAGES...")
    ],
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="The recipe whose served model answers.")
    ] = DEFAULT_RECIPE,
    model: Annotated[
        pathlib.Path | None,
        typer.Option("--model", "-m", help="A SavedModel folder to ask instead."),
    ] = None,
    set_: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Classifies pictures with the served model."""
    from pipeline.commands.predict import predict_images

    raise typer.Exit(predict_images(images, recipe, set_ or [], model, verbose))


@versions_app.command("list")
def versions_list(config: ConfigArgument = DEFAULT_RECIPE, set_: SetOption = None) -> None:
    """Lists the served versions of a recipe's model, newest first."""
    from pipeline.commands.versions import list_versions

    list_versions(config, set_ or [])


@app.command()
def doctor(
    config: ConfigArgument = DEFAULT_RECIPE, set_: SetOption = None, verbose: VerboseOption = False
) -> None:
    """Tells whether this machine can run a recipe (exit code 1 if not)."""
    from pipeline.commands.doctor import examine

    raise typer.Exit(examine(config, set_ or [], verbose))


def main() -> None:
    """Entry point: a user's mistake is one message and exit code 2, never a traceback."""
    import os
    import sys

    # Before the first import of TensorFlow, which reads it once.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    try:
        app()
    except ValueError as error:
        print(f"graft: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a full disk, a folder that cannot be written, …
        where = f"{error.filename}: " if error.filename else ""
        print(f"graft: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
