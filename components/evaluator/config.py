"""Settings of the Evaluator: what must be proved of a model on the test split to serve it."""

from typing import Any, Literal

import pydantic

from components.settings import Fraction, Settings
from components.text import did_you_mean

# The gated metrics: of each, more is better and 1 is perfect.
METRICS = ("accuracy", "top_k_accuracy", "auc", "macro_precision", "macro_recall")


class MarginSettings(Settings):
    """By how much the model may be worse than the served one; it must be proved not to be more."""

    overall: Fraction | None = pydantic.Field(None, description="in accuracy, of all pictures")
    per_class: Fraction | None = pydantic.Field(None, description="in recall, of every class")
    per_slice: Fraction | None = pydantic.Field(None, description="in accuracy, of every slice")


class EvaluationSettings(Settings):
    """The block `evaluation` of a recipe."""

    confidence: float = pydantic.Field(
        0.95,
        gt=0.0,
        lt=1.0,
        description="what a gate says is wrong in at most 1 - confidence of all evaluations",
    )
    thresholds: dict[str, Fraction] = pydantic.Field(
        {"accuracy": 0.5}, description="per metric, what must be proved of the model at least"
    )
    max_calibration_error: Fraction | None = pydantic.Field(
        None, description="the largest expected calibration error, which must be proved to hold"
    )
    min_label_set_coverage: Fraction | None = pydantic.Field(
        None, description="with `serving.label_set`: the share of pictures whose class is proved in"
    )
    min_accuracy_when_sure: Fraction | None = pydantic.Field(
        None, description="with `serving.abstain`: the accuracy proved where the model is sure"
    )
    min_share_sure: Fraction | None = pydantic.Field(
        None, description="with `serving.abstain`: the share of pictures proved to be sure"
    )
    min_class_recall: Fraction | None = pydantic.Field(
        None, description="the share of every single class that must be proved to be recognised"
    )
    min_class_precision: Fraction | None = pydantic.Field(
        None, description="of the pictures that are given a class, the share proved to be of it"
    )
    slices: tuple[str, ...] = pydantic.Field(
        (),
        description="facts of pictures (`brightness`, …; ranges by quantile) or columns of the "
        "manifest, by which the test split is cut",
    )
    min_slice_accuracy: Fraction | None = pydantic.Field(
        None, description="the accuracy that must be proved of every slice"
    )
    too_few: Literal["fail", "warn"] = pydantic.Field(
        "fail", description="verdict where there are too few pictures for any model to prove it"
    )
    not_proved_worse: bool = pydantic.Field(
        True,
        description="refuse what is proved worse than the served model: overall, in a class or in "
        "a slice",
    )
    proved_as_good: MarginSettings = MarginSettings()
    most_candidates: int = pydantic.Field(
        20, ge=1, description="models judged on one test split before a warning that it is worn out"
    )
    top_k: int = pydantic.Field(
        3, ge=2, description="top_k_accuracy: the right class is among the k most probable"
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _check_old_keys(cls, values: Any) -> Any:
        if isinstance(values, dict) and "max_drop" in values:
            raise ValueError(
                "max_drop is no longer a setting: a drop on the test split alone proves nothing. "
                "Take it out (`not_proved_worse: true` is the default), or write "
                "`proved_as_good: {overall: 0.01}` for a model that is proved to be at most 0.01 "
                "worse"
            )
        return values

    @pydantic.field_validator("thresholds")
    @classmethod
    def _check_names(cls, bounds: dict[str, float]) -> dict[str, float]:
        for name in bounds:
            if name not in METRICS:
                hint = did_you_mean(name, METRICS)
                raise ValueError(f"unknown metric {name}{hint}; known: {', '.join(METRICS)}")
        return bounds

    @pydantic.model_validator(mode="after")
    def _check(self) -> "EvaluationSettings":
        # What is asked against the served model does not count: at first there is none.
        if not self.thresholds and self.min_class_recall is None:
            raise ValueError("thresholds must name at least one metric, or min_class_recall be set")
        by_slice = (self.min_slice_accuracy, self.proved_as_good.per_slice)
        if not self.slices and any(bound is not None for bound in by_slice):
            raise ValueError("slices must name at least one column for a bound on every slice")
        return self
