"""Base of every block of a recipe: unknown keys are errors, values do not change after loading."""

from typing import Annotated

import pydantic

# Digits as class names need no quotes in YAML.
ClassName = Annotated[str, pydantic.Field(coerce_numbers_to_str=True)]


class Settings(pydantic.BaseModel):
    """One block of a recipe. Travels to executors as JSON (`model_dump_json`)."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
