"""What is checked before a package is sent: the values of its run parameters, and its name."""

import difflib
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from components.errors import UserError
from pipeline.kubeflow.package.documents import Package, RunParameter
from pipeline.kubeflow.package.setting_paths import SETTING_PATHS
from pipeline.kubeflow.step.run_parameters import apply_run_parameters

_ROOTS = ("minio://", "s3://", "gs://")


def is_package(path: Path) -> bool:
    """Whether a file is a package, whole or not, rather than a recipe.

    Raises:
        UserError: it is, but its name is none that kfp reads.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return False  # and as a recipe it cannot be read either, which is said there
    keys = "pipelineInfo|pipelineSpec|deploymentSpec|schemaVersion|components"
    if not re.search(rf"^(?:{keys}):", text, re.MULTILINE):
        return False
    if path.suffix not in (".yaml", ".yml"):
        raise UserError(f"{path}: rename the package so that its name ends in .yaml")
    return True


def run_arguments(package: Package, assignments: Iterable[str]) -> dict[str, str | int | float]:
    """Reads the values of run parameters.

    Args:
        package: that has the parameters.
        assignments: `key=value`.

    Returns:
        Value by name, of the parameter's type.

    Raises:
        UserError: there is no such parameter, the value is not of its type or none that the
            Trainer can have, or a parameter without default has none.
    """
    known = {parameter.name: parameter for parameter in package.parameters}
    values: dict[str, str | int | float] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise UserError(f"--param {assignment}: write key=value, as in {_example(known)}")
        if name not in known:
            raise UserError(f"--param {name}: {_unknown(name, list(known))}")
        if name in values:
            raise UserError(f"--param {name}: it is given twice")
        values[name] = _value(known[name], text)
    missing = [p.name for p in known.values() if p.default is None and p.name not in values]
    if missing:
        raise UserError(f"--param: the package has no default for {', '.join(missing)}")
    _try_out(package, {p.name: p.default for p in known.values()} | values)
    return values


def _try_out(package: Package, values: dict[str, Any]) -> None:
    """Finds here, not in a pod an hour later, what the entrypoint will refuse."""
    for step, task in package.spec["root"]["dag"]["tasks"].items():
        inputs = task.get("inputs", {}).get("parameters", {})
        if SETTING_PATHS not in inputs:
            continue
        given = {
            name: values[source["componentInputParameter"]]
            if "componentInputParameter" in source
            else source["runtimeValue"]["constant"]
            for name, source in inputs.items()
        }
        try:
            apply_run_parameters(given)
        except (LookupError, TypeError, json.JSONDecodeError):
            raise UserError(
                f"{step}: the package's {SETTING_PATHS} do not fit its settings: compile it again"
            ) from None


def _example(known: dict[str, RunParameter]) -> str:
    return next((f"{p.name}={p.default}" for p in known.values()), "seed=1")


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"the package has no such parameter (did you mean `{near[0]}`?)"
    return f"the package has no such parameter. It has: {', '.join(known) or 'none'}"


def _value(parameter: RunParameter, text: str) -> str | int | float:
    default = "" if parameter.default is None else f" such as {parameter.default}, its default,"
    right = f"{default.lstrip()} not {text!r}".lstrip()
    if parameter.type == "NUMBER_INTEGER":
        try:
            return int(text)
        except ValueError:
            raise UserError(
                f"--param {parameter.name}: it must be a whole number, {right}"
            ) from None
    if parameter.type == "NUMBER_DOUBLE":
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UserError(f"--param {parameter.name}: it must be a number, {right}")
        return value
    return text


def check_pipeline_root(root: str | None) -> None:
    """Finds a root that the steps' pods could not share.

    Raises:
        UserError: it is no URI of an object store.
    """
    if root and not (root.startswith(_ROOTS) and len(root.split("://", 1)[1].strip("/")) > 0):
        raise UserError(
            f"--pipeline-root {root}: write the URI of a folder in an object store that every pod "
            f"reaches: {', '.join(f'{scheme}bucket/folder' for scheme in _ROOTS)}"
        )
