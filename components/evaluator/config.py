"""Settings of the Evaluator: what a model must reach on the test split to be served."""

import difflib

import pydantic

from components.settings import Settings

# The gated metrics: of each, more is better and 1 is perfect.
METRICS = ("accuracy", "top_k_accuracy", "auc", "macro_precision", "macro_recall")

Fraction = pydantic.confloat(ge=0.0, le=1.0)


class EvaluationSettings(Settings):
    """The block `evaluation` of a recipe."""

    thresholds: dict[str, Fraction] = pydantic.Field(
        {"accuracy": 0.5}, description="per metric, the least the model must reach"
    )
    max_drop: dict[str, Fraction] = pydantic.Field(
        {"accuracy": 0.01},
        description="per metric, how far the model may fall short of the served one",
    )
    min_class_recall: Fraction | None = pydantic.Field(
        None, description="the least share of every single class that must be recognised"
    )
    top_k: int = pydantic.Field(
        3, ge=2, description="top_k_accuracy: the right class is among the k most probable"
    )

    @pydantic.field_validator("thresholds", "max_drop")
    @classmethod
    def _check_names(cls, bounds: dict[str, float]) -> dict[str, float]:
        for name in bounds:
            if name not in METRICS:
                nearest = difflib.get_close_matches(name, METRICS, n=1)
                hint = f", did you mean {nearest[0]}?" if nearest else ""
                raise ValueError(f"unknown metric {name}{hint} (known: {', '.join(METRICS)})")
        return bounds

    @pydantic.model_validator(mode="after")
    def _check(self) -> "EvaluationSettings":
        # max_drop does not count: with nothing served yet it has nothing to compare with.
        if not self.thresholds and self.min_class_recall is None:
            raise ValueError("thresholds must name at least one metric, or min_class_recall be set")
        return self
