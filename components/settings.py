"""Base of every block of a recipe: unknown keys are errors, values do not change after loading."""

from typing import Annotated, Literal

import pydantic

# What `components.pixels.rescale` makes of 0..255 RGB, in the words of `keras.applications`: `tf`
# is [-1, 1]; `torch` and `caffe` take ImageNet's mean off; `raw` is 0..255; `unit` is [0, 1], as
# TensorFlow Hub has it.
ValueRange = Literal["tf", "torch", "caffe", "raw", "unit"]

# Digits as class names need no quotes in YAML.
ClassName = Annotated[str, pydantic.Field(coerce_numbers_to_str=True)]


# Where `custom_config` of a TFX component holds the block that is for it, as JSON.
SETTINGS_KEY = "settings"


class Settings(pydantic.BaseModel):
    """One block of a recipe. Travels to executors as JSON (`model_dump_json`)."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
