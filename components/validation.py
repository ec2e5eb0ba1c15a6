"""Pydantic's errors in Graft's words: which key, what is wrong, what would be right."""

import dataclasses
import json
import re
from typing import Any, get_args

import pydantic
from pydantic.fields import FieldInfo

from components.text import did_you_mean, one_line

_MOST_PROBLEMS = 20


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong with some values.

    Attributes:
        path: keys and places in lists that lead to it; empty: the whole.
        message: what is wrong, without the key.
    """

    path: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        """`key.of.it: what is wrong`."""
        key = one_line(".".join(self.path), 100)
        return f"{key}: {self.message}" if key else self.message


def problems(error: pydantic.ValidationError, model: type[pydantic.BaseModel]) -> list[Problem]:
    """Words what pydantic found.

    Args:
        error: raised when values were held to the model.
        model: knows the keys that there are.
    """
    return [_problem(found, model) for found in error.errors()]


def explain(
    error: pydantic.ValidationError, model: type[pydantic.BaseModel], block: str = ""
) -> str:
    """The problems, one per line, of which the first 20 are shown.

    Args:
        error: see `problems`.
        model: see `problems`.
        block: key of the block that the values are of; empty: they are the whole.
    """
    found = error.errors()
    prefix = (block,) if block else ()
    shown = [
        _problem({**one, "loc": prefix + one["loc"]}, model, len(prefix))
        for one in found[:_MOST_PROBLEMS]
    ]
    more = [f"and {len(found) - len(shown)} more"] if len(found) > len(shown) else []
    return "\n".join([*map(str, shown), *more])


def _problem(error: dict[str, Any], model: type[pydantic.BaseModel], outside: int = 0) -> Problem:
    """Words one error; the first `outside` parts of its place are not in the model."""
    # Tags of a union, and pydantic's mark for a key that is wrong itself, are no keys.
    parts = map(str, error["loc"])
    path = tuple(part for part in parts if not part.startswith("(") and part != "[key]")
    if error["type"] == "extra_forbidden":
        *blocks, last = path
        known = _known_keys(model, blocks[outside:])
        hint = did_you_mean(last, known) or f". Known: {', '.join(known)}"
        return Problem(path, f"unknown key{hint}")
    text = error["msg"].removeprefix("Value error, ")
    given = error["input"]
    if error["type"] != "value_error" and isinstance(given, str | int | float | None):
        shown = json.dumps(given) if isinstance(given, bool | None) else repr(given)
        text = f"{text}, not {one_line(shown, 80)}"
    told = one_line(text[:1].lower() + text[1:])
    if error["type"] == "literal_error" and len(told) < len(text):  # too many to name them all
        hint = did_you_mean(str(given), re.findall("'([^']*)'", error["ctx"]["expected"]))
        told = f"unknown value {one_line(given, 80)!r}{hint}" if hint else told
    return Problem(path, told)


def _known_keys(model: type[pydantic.BaseModel], blocks: list[str]) -> list[str]:
    for block in blocks:
        field = _fields(model).get(block)  # none: a place in a list, or a key of the user's own
        model = (_block_model(field.annotation) if field else None) or model
    return list(_fields(model))


def _fields(model: type[pydantic.BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a block by their keys."""
    return {field.validation_alias or name: field for name, field in model.model_fields.items()}


def _block_model(annotation: Any) -> type[pydantic.BaseModel] | None:
    """The model in an annotation such as `tuple[PhaseSettings, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    return next(filter(None, map(_block_model, get_args(annotation))), None)
