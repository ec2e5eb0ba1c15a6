"""Base of every block of a recipe: unknown keys are errors, values do not change after loading."""

import pydantic


class Settings(pydantic.BaseModel):
    """One block of a recipe. Travels to executors as JSON (`model_dump_json`)."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
