"""`graft doctor`."""

import importlib.metadata
import logging
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.filesize import decimal
from rich.table import Table

from components.errors import UserError
from pipeline import preflight
from pipeline.beam_config import BeamSettings
from pipeline.config import Recipe, load_recipe
from pipeline.console import plain, redirect_output
from pipeline.failures import explain
from pipeline.preflight import Scope

# A run keeps the pictures once more, as they came, plus models and logs.
_MIN_FREE_BYTES = 2 << 30


def examine(config: str, overrides: list[str], verbose: bool) -> int:
    """Prints what this machine has of what a recipe needs.

    Returns:
        The exit code: 0, or 1 when something that a run needs is missing.

    Raises:
        UserError: the recipe cannot be used.
    """
    recipe = load_recipe(config, overrides)
    with redirect_output(None if verbose else Path("/dev/null")) as console:
        checks = [
            _ask("Python", _python),
            _ask("TFX", _tfx),
            _ask("TensorFlow", _tensorflow),
            _ask("GPUs", _gpus),
            _ask("Beam runner", _beam, recipe.beam),
            _ask("Free disk", _disk, recipe.folder),
            _ask("The recipe's needs", _recipe, recipe),
        ]
        table = Table("", "what", "found", title=f"Recipe {recipe.name}", title_justify="left")
        for passed, what, found in checks:
            table.add_row("[green]✓[/]" if passed else "[red]✗[/]", what, plain(found))
        console.print(table)
    return 0 if all(passed for passed, _, _ in checks) else 1


def _ask(what: str, check: Callable[..., str], *given: object) -> tuple[bool, str, str]:
    """What a check finds; whatever keeps it from finding, as a failing import, is the finding."""
    try:
        return True, what, check(*given)
    except Exception as error:
        logging.error("%s", what, exc_info=error)  # seen with --verbose
        return False, what, explain(error)


def _python() -> str:
    return f"{platform.python_version()}, {os.cpu_count()} CPU cores"


def _tfx() -> str:
    import tfx.types  # noqa: F401

    version = importlib.metadata.version("tfx")
    line = (
        "compatible line (Python 3.10, glibc 2.28 or newer)" if version < "1.17" else "modern line"
    )
    return f"{version}, {line}"


def _tensorflow() -> str:
    import keras
    import tensorflow as tf

    return f"{tf.__version__}, Keras {keras.__version__}"


def _gpus() -> str:
    """A GPU that the recipe demands and that is not there is told by the recipe's own check."""
    import tensorflow as tf

    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return ", ".join(names) or "none: `training.device: auto` trains on the CPU"


def _beam(beam: BeamSettings) -> str:
    version = importlib.metadata.version("apache-beam")
    return f"{version}, {' '.join(beam.pipeline_args())}"


def _disk(folder: Path) -> str:
    existing = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    found = f"{decimal(free)} (a run wants at least {decimal(_MIN_FREE_BYTES)})"
    if free < _MIN_FREE_BYTES:
        raise UserError(found)
    return found


def _recipe(recipe: Recipe) -> str:
    """Whether all that the recipe names is there: folders, pictures, weights, devices."""
    with tempfile.TemporaryDirectory() as scratch:
        found = preflight.inspect(recipe, Scope.MACHINE, Path(scratch))
    preflight.check_network(recipe)
    pictures, classes = len(found.source.items), len(found.source.classes)
    return f"{pictures:,} pictures of {classes} classes"
