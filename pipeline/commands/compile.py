"""`graft compile`."""

import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.table import Column, Table

from components.errors import UserError
from components.files import write_atomically
from pipeline.config import Recipe, load_recipe
from pipeline.console import make_console, plain, redirect_output, say
from pipeline.kubeflow.compiler import recipe_checks
from pipeline.kubeflow.package.documents import SUFFIXES, Package, Step, parse_package

STDOUT = Path("-")


def compile_recipe(config: str, overrides: list[str], output: Path | None, verbose: bool) -> None:
    """Compiles a recipe into a package, and shows what is in it.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        output: the file to write, `-` for standard output; None: `<recipe>.package.yaml` here.
        verbose: leaves the log on the terminal.

    Raises:
        UserError: the recipe cannot run in a cluster; nothing has been written.
    """
    recipe = load_recipe(config, overrides)
    output = output or Path(f"{recipe.name}.package.yaml")
    check_output(output, config)
    recipe_checks.check_recipe(recipe)  # before TFX is imported, which takes a while
    text = _compile(recipe, verbose)
    package = parse_package(text)
    if output == STDOUT:
        sys.stdout.write(text)
    else:
        write_atomically(output, text)
    console = make_console(stderr=output == STDOUT)
    show_package(console, package)
    if output != STDOUT:
        size = decimal(len(text.encode()))
        say(console, f"{output}: {size}")
    for warning in recipe_checks.warnings_for(recipe):
        say(make_console(stderr=True), f"Warning: {warning}", style="yellow")


def _compile(recipe: Recipe, verbose: bool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        log_file = None if verbose else Path(folder) / "log"
        with redirect_output(log_file):
            from pipeline.kubeflow.compiler.compile_package import compile_package

            return compile_package(recipe)


def check_output(output: Path, config: str) -> None:
    """Finds a file that must not be written, before anything is done.

    Args:
        output: the file to write, or `-`.
        config: name or path of the recipe.

    Raises:
        UserError: a backend would not take such a file, there is no such folder, or it is the
            recipe.
    """
    if output == STDOUT:
        return
    if output.suffix not in SUFFIXES:
        raise UserError(f"--output {output}: a package is a file that ends in .yaml")
    if not output.parent.is_dir():
        raise UserError(f"--output {output}: there is no folder {output.parent}")
    if output.exists() and Path(config).exists() and output.samefile(config):
        raise UserError(f"--output {output}: that is the recipe")


def show_package(console: Console, package: Package) -> None:
    """Prints the steps with what they ask for, and the parameters of a run."""
    console.print(f"[bold]{plain(package.name)}[/], Kubeflow Pipelines v2", highlight=False)
    steps = Table(Column("step", no_wrap=True), "CPU", "memory", "GPU", "cached", "retries")
    for step in package.steps:
        steps.add_row(
            plain(step.name),
            _range(step, "Cpu"),
            _range(step, "Memory"),
            plain(step.gpu) or "–",
            "yes" if step.cached else "no",
            str(step.retries or "–"),
        )
    console.print(steps)
    for image, names in _images(package).items():
        console.print(f"{names}: {plain(image)}", soft_wrap=True, highlight=False)
    parameters = Table("parameter of a run", "type", "default")
    for parameter in package.parameters:
        default = "" if parameter.default is None else str(parameter.default)
        parameters.add_row(plain(parameter.name), parameter.type, plain(default))
    console.print(parameters)


def _range(step: Step, kind: str) -> str:
    """What is promised, and the limit."""
    values = [step.resources.get(f"resource{kind}{end}", "") for end in ("Request", "Limit")]
    return "–".join(filter(None, dict.fromkeys(values)))


def _images(package: Package) -> dict[str, str]:
    """By image the steps that run it; those that most of them run are not listed."""
    steps: dict[str, list[str]] = {}
    for step in package.steps:
        steps.setdefault(step.image, []).append(step.name)
    if len(steps) == 1:
        return dict.fromkeys(steps, "Image of all steps")
    usual = max(steps, key=lambda image: len(steps[image]))
    return {
        image: "Image" if image == usual else f"Image of {', '.join(names)}"
        for image, names in steps.items()
    }
