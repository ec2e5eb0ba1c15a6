"""`graft doctor`."""

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path

from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from components import served_versions
from pipeline.beam_config import BeamSettings
from pipeline.config import load_recipe
from pipeline.console import redirect_output

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
            *_tensorflow(recipe.training),
            _beam(recipe.beam),
            _disk(recipe.folder),
            _writable("workspace", recipe.folder),
            _writable("push destination", recipe.push_destination),
        ]
        table = Table("", "what", "found", title=f"Recipe {recipe.name}", title_justify="left")
        for passed, what, found in checks:
            table.add_row("[green]✓[/]" if passed else "[red]✗[/]", what, escape(found))
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
        "compatible line (Python 3.10, any glibc from 2.17)" if version < "1.17" else "modern line"
    )
    return True, "TFX", f"{version}, {line}"


def _tensorflow(training) -> list[Check]:
    import keras
    import tensorflow as tf

    from components.trainer.fitting.devices import check_device

    gpus = [
        tf.config.experimental.get_device_details(g).get("device_name", g.name) for g in _gpus(tf)
    ]
    try:
        check_device(training)
        enough = True
    except ValueError:
        enough = False
    found = ", ".join(gpus) or "none: training runs on the CPU"
    return [
        (True, "TensorFlow", f"{tf.__version__}, Keras {keras.__version__}"),
        (enough, "GPUs", found if enough else "none, but training.device is `gpu`"),
    ]


def _gpus(tf) -> list:
    return tf.config.list_physical_devices("GPU")


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


def _writable(what: str, folder: Path) -> Check:
    try:
        served_versions.check_writable(folder)
    except ValueError as error:
        return False, f"Writable: {what}", str(error)
    return True, f"Writable: {what}", str(folder.absolute())
