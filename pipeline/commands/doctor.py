"""`graft doctor`."""

import importlib.metadata
import os
import platform
import shutil
import tempfile
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
            _python(),
            _tfx(),
            _tensorflow(),
            _gpus(),
            _beam(recipe.beam),
            _disk(recipe.folder),
            _recipe(recipe),
        ]
        table = Table("", "what", "found", title=f"Recipe {recipe.name}", title_justify="left")
        for passed, what, found in checks:
            table.add_row("[green]✓[/]" if passed else "[red]✗[/]", what, plain(found))
        console.print(table)
    return 0 if all(passed for passed, _, _ in checks) else 1


Check = tuple[bool, str, str]


def _python() -> Check:
    return True, "Python", f"{platform.python_version()}, {os.cpu_count()} CPU cores"


def _tfx() -> Check:
    try:
        import tfx.types  # noqa: F401
    except Exception as error:  # whatever keeps it from importing is the finding
        return False, "TFX", f"cannot be imported: {error}"
    version = importlib.metadata.version("tfx")
    line = (
        "compatible line (Python 3.10, glibc 2.28 or newer)" if version < "1.17" else "modern line"
    )
    return True, "TFX", f"{version}, {line}"


def _tensorflow() -> Check:
    import keras
    import tensorflow as tf

    return True, "TensorFlow", f"{tf.__version__}, Keras {keras.__version__}"


def _gpus() -> Check:
    """A GPU that the recipe demands and that is not there is told by the recipe's own check."""
    import tensorflow as tf

    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return True, "GPUs", ", ".join(names) or "none: training runs on the CPU"


def _beam(beam: BeamSettings) -> Check:
    version = importlib.metadata.version("apache-beam")
    return True, "Beam runner", f"{version}, {' '.join(beam.pipeline_args())}"


def _disk(folder: Path) -> Check:
    existing = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    return (
        free >= _MIN_FREE_BYTES,
        "Free disk",
        f"{decimal(free)} (a run wants at least {decimal(_MIN_FREE_BYTES)})",
    )


def _recipe(recipe: Recipe) -> Check:
    """Whether all that the recipe names is there: folders, pictures, weights, devices."""
    try:
        with tempfile.TemporaryDirectory() as scratch:
            found = preflight.inspect(recipe, Scope.MACHINE, Path(scratch))
        preflight.check_network(recipe)
    except (UserError, OSError) as error:
        return False, "The recipe's needs", explain(error)
    pictures, classes = len(found.source.items), len(found.source.classes)
    return True, "The recipe's needs", f"{pictures:,} pictures of {classes} classes"
