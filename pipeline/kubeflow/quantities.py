"""Amounts of CPU, memory and time, in the notation of Kubernetes."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import pydantic

_MEMORY_UNITS = {
    **{unit: 1000**power for power, unit in enumerate(("", "k", "M", "G", "T", "P", "E"))},
    **{f"{unit}i": 1024**power for power, unit in enumerate("KMGTPE", start=1)},
}
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def cores(text: str) -> Decimal:
    """Number of cores: `2`, `0.5` or `500m`.

    Raises:
        ValueError: it is no such quantity.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(m?)", text)
    if not match or not Decimal(match[1]):
        raise ValueError(f"not a number of cores: {text}. Write it as 2, 0.5 or 500m")
    return Decimal(match[1]) / (1000 if match[2] else 1)


def memory_bytes(text: str) -> Decimal:
    """Number of bytes: `2Gi` or `500M`.

    Raises:
        ValueError: it is no such quantity, or less than a megabyte.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]*)", text)
    if not match or match[2] not in _MEMORY_UNITS:
        units = ", ".join(filter(None, _MEMORY_UNITS))
        raise ValueError(
            f"not an amount of memory: {text}. Write a number and one of {units}, as 2Gi"
        )
    number = Decimal(match[1]) * _MEMORY_UNITS[match[2]]
    if number < 1000**2:
        raise ValueError(f"less memory than anything runs in: {text}. Write a unit, as 2Gi")
    return number


def seconds(text: str) -> int:
    """Number of seconds: `90s`, `30m` or `6h`.

    Raises:
        ValueError: it is no such duration.
    """
    match = re.fullmatch(r"(\d+)([smh])", text)
    if not match or not int(match[1]):
        raise ValueError(f"not a duration: {text}. Write it as 90s, 30m or 6h")
    return int(match[1]) * _SECONDS[match[2]]


def _checked(parse: Callable[[str], Any]) -> pydantic.AfterValidator:
    """Keeps the text, which is what a package holds, if it can be parsed."""

    def check(text: str) -> str:
        parse(text)
        return text

    return pydantic.AfterValidator(check)


_Text = Annotated[str, pydantic.Field(coerce_numbers_to_str=True)]
Cpu = Annotated[_Text, _checked(cores)]
Memory = Annotated[_Text, _checked(memory_bytes)]
Duration = Annotated[_Text, _checked(seconds)]
