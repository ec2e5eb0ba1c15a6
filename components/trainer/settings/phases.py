"""Settings of one phase of training."""

from typing import Literal

import pydantic

from components.settings import Settings

OptimizerName = Literal["adam", "adamw", "rmsprop", "sgd"]


class EarlyStoppingSettings(Settings):
    """Ends a phase that stopped getting better on the validation split."""

    patience: int = pydantic.Field(
        5,
        ge=0,
        description="epochs without a higher accuracy, or a lower loss at the same; 0: never stop "
        "early",
    )


class PhaseSettings(Settings):
    """One phase of training."""

    epochs: int = pydantic.Field(10, ge=0, le=10_000, description="0 leaves the phase out")
    batch_size: int | None = pydantic.Field(
        None, ge=1, le=65_536, description="null: training.batch_size"
    )
    optimizer: OptimizerName = "adam"
    learning_rate: float = pydantic.Field(3e-4, gt=0.0, le=10.0)
    fine_tune_at: int | str | None = pydantic.Field(
        None,
        description="index or name of the first backbone layer that learns, or `all`; "
        "null: the head alone learns",
    )
    schedule: Literal["constant", "cosine", "one_cycle"] = pydantic.Field(
        "constant", description="how the rate goes; learning_rate is the highest"
    )
    warmup_epochs: float = pydantic.Field(
        0.0, ge=0.0, description="epochs in which the rate of `cosine` rises from 0"
    )
    backbone_multiplier: float = pydantic.Field(
        1.0, gt=0.0, le=1.0, description="the backbone learns at learning_rate times this"
    )
    weight_decay: float | None = pydantic.Field(
        None,
        ge=0.0,
        lt=1.0,
        description="times the rate: the share that every step takes off kernels, not off biases "
        "and normalization; null: 0.004 for adamw, 0 for the others",
    )
    early_stopping: EarlyStoppingSettings = EarlyStoppingSettings()

    @pydantic.model_validator(mode="after")
    def _check_warmup(self) -> "PhaseSettings":
        if self.warmup_epochs and self.schedule != "cosine":
            raise ValueError("warmup_epochs is for schedule: cosine")
        if self.epochs and self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs must be less than epochs ({self.epochs})")
        return self

    @pydantic.model_validator(mode="after")
    def _check_multiplier(self) -> "PhaseSettings":
        if self.backbone_multiplier != 1.0 and self.fine_tune_at is None:
            raise ValueError("backbone_multiplier is for phases in which the backbone learns")
        return self


class UnfrozenPhaseSettings(PhaseSettings):
    """The second phase, in which the backbone's last layers learn too."""

    optimizer: OptimizerName = "rmsprop"
    learning_rate: float = pydantic.Field(3e-5, gt=0.0, le=10.0)
    fine_tune_at: int | str = pydantic.Field(
        100, description="index or name of the first backbone layer that learns, or `all`"
    )


class ListedPhaseSettings(PhaseSettings):
    """One phase of the list `training.phases`."""

    name: str = pydantic.Field(
        pattern="^[a-z0-9_-]+$", max_length=40, description="a-z, 0-9, - and _; no other has it"
    )
