"""Base of every block of a recipe: unknown keys are errors, values do not change after loading."""

import os
import re
from typing import Annotated, Any, Literal

import pydantic
from pydantic_core import core_schema
from typing_extensions import Self

from components.errors import UserError

# What `components.pixels.rescale` makes of 0..255 RGB, in the words of `keras.applications`: `tf`
# is [-1, 1]; `torch` and `caffe` take ImageNet's mean off; `raw` is 0..255; `unit` is [0, 1], as
# TensorFlow Hub has it.
ValueRange = Literal["tf", "torch", "caffe", "raw", "unit"]

# Digits as class names need no quotes in YAML.
ClassName = Annotated[str, pydantic.Field(coerce_numbers_to_str=True)]

Fraction = Annotated[float, pydantic.Field(ge=0.0, le=1.0)]

# A URL with a name, a password or a token before its host; its groups are scheme and host.
URL_WITH_PASSWORD = re.compile(r"([A-Za-z][\w+.-]*)://[^/?#\s\"']+@([^/?#\s@\"']*)")

# Where `custom_config` of a TFX component holds the block that is for it, as JSON.
SETTINGS_KEY = "settings"


def _expand_home(path: str) -> str:
    expanded = os.path.expanduser(path)  # noqa: PTH111 (a path may be a URL or a word as `digits`)
    if expanded.startswith("~"):
        raise ValueError(f"there is no user {expanded.partition('/')[0][1:]}, whose folder `~` is")
    return expanded


def refuse_password(address: str, *, key: str = "") -> str:
    """The address, if it has no name or password in it: it is written into records and packages.

    Raises:
        UserError: it has; the text does not tell it.
    """
    if URL_WITH_PASSWORD.match(address):
        raise UserError(
            f"{key}{': ' if key else ''}the address has a name or password before its host, which "
            "whoever reads a record, a package or a log would see: use one without"
        )
    return address


# A path on this machine (or an address or a word in its place), in which `~` is the user's home.
LocalPath = Annotated[
    str, pydantic.AfterValidator(_expand_home), pydantic.AfterValidator(refuse_password)
]


def _with_strict_scalars(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_strict_scalars(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind == "literal":
        if all(isinstance(choice, str) for choice in schema["expected"]):
            return schema
        return core_schema.no_info_before_validator_function(_refuse_boolean, schema)
    rest = {
        key: value if key in ("default", "metadata") else _with_strict_scalars(value)
        for key, value in schema.items()
    }
    return {**rest, "strict": True} if kind in ("bool", "int", "float") else rest


def _refuse_boolean(value: Any) -> Any:
    """For choices of numbers: to Python, True is among them as 1.0."""
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {str(value).lower()}")
    return value


class Settings(pydantic.BaseModel):
    """One block of a recipe. Travels to executors as JSON (`model_dump_json`)."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Takes numbers for numbers and true and false for switches, and nothing in their place.

        Pydantic's own strict mode would also refuse YAML's lists for tuples.
        """
        return _with_strict_scalars(handler(source))

    def replaced(self, **changes: Any) -> Self:
        """A copy with other values, which are checked, as `model_copy` does not.

        Raises:
            pydantic.ValidationError: they cannot be had.
        """
        keys = {n: field.validation_alias or n for n, field in type(self).model_fields.items()}
        values = {keys[name]: getattr(self, name) for name in self.model_fields_set}
        return self.model_validate({**values, **changes})
