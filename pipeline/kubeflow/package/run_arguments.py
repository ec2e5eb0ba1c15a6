"""Values of a package's run parameters, read from `key=value`."""

import math
from collections.abc import Iterable

from components.errors import UserError
from components.settings import refuse_password
from components.text import did_you_mean
from pipeline.kubeflow.package.documents import Package, RunParameter

Value = str | int | float


def parse_arguments(package: Package, assignments: Iterable[str]) -> dict[str, Value]:
    """Reads the values of run parameters.

    Args:
        package: that has the parameters.
        assignments: `key=value` each, as after `--param`.

    Returns:
        Value by name, of the parameter's type; without the parameters that keep their defaults.

    Raises:
        UserError: there is no such parameter, the value is not of its type, or a parameter without
            default has none.
    """
    known = {parameter.name: parameter for parameter in package.parameters}
    values: dict[str, Value] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise UserError(f"--param {assignment}: write key=value, as in {_example(known)}")
        if name not in known:
            hint = did_you_mean(name, known) or f". It has: {', '.join(known) or 'none'}"
            raise UserError(f"--param {name}: the package has no such parameter{hint}")
        if name in values:
            raise UserError(f"--param {name}: it is given twice")
        values[name] = _value(known[name], text)
    missing = [p.name for p in known.values() if p.default is None and p.name not in values]
    if missing:
        raise UserError(f"--param: the package has no default for {', '.join(missing)}")
    return values


def _example(known: dict[str, RunParameter]) -> str:
    return next((f"{p.name}={p.default}" for p in known.values()), "seed=1")


def _value(parameter: RunParameter, text: str) -> Value:
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
    return refuse_password(text, key=f"--param {parameter.name}")
