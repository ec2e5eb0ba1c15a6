"""Settings of the DataGate: what the data must keep to for a training to begin."""

import pydantic

from components.settings import Fraction, Settings


class MinimumSettings(Settings):
    """Pictures that every class must have in each split."""

    train: int = pydantic.Field(1, ge=0, description="fewer in a class stop the run")
    validation: int = pydantic.Field(0, ge=0, description="fewer in a class stop the run")
    test: int = pydantic.Field(0, ge=0, description="fewer in a class stop the run")


class DistanceSettings(Settings):
    """How far two sets of pictures may differ.

    Only a difference that is significant *and* large counts: alone, a distance alarms on small sets
    and a test on large ones. Distances are from 0 to 1: the two-sample Kolmogorov-Smirnov statistic
    of numbers, the total variation distance of categories. Copies of a picture count once.
    """

    significance: float = pydantic.Field(
        0.01,
        gt=0,
        lt=1,
        description="a difference counts if its p-value, corrected after Holm, is below",
    )
    warn: Fraction = pydantic.Field(0.1, description="a larger distance is a warning")
    fail: Fraction = pydantic.Field(0.3, description="a larger distance stops the run")

    @pydantic.model_validator(mode="after")
    def _check(self) -> "DistanceSettings":
        if self.warn > self.fail:
            raise ValueError(f"warn must be at most fail = {self.fail:g}, not {self.warn:g}")
        return self


class SkewSettings(DistanceSettings):
    """How far validation and test, which are smaller, may differ from train: as told of drift."""

    fail: Fraction = pydantic.Field(0.5, description="a larger distance stops the run")


class DataGateSettings(Settings):
    """The block `data_gate` of a recipe."""

    min_per_class: MinimumSettings = MinimumSettings()
    max_quarantined: Fraction = pydantic.Field(
        0.05, description="larger share of files that were set aside stops the run"
    )
    max_contradicting: Fraction = pydantic.Field(
        0.05,
        description="larger share of pictures with a copy in another class stops the run; with "
        "data.contradicting_labels = stop there is none",
    )
    allow_leakage: bool = pydantic.Field(
        False, description="whether copies of a picture may be in several splits of a source's own"
    )
    drift: DistanceSettings = pydantic.Field(
        DistanceSettings(),
        description="here the sets are those of this run and of the served model",
    )
    skew: SkewSettings = SkewSettings()
