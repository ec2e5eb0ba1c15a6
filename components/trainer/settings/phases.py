"""Settings of one phase of training."""

from typing import Any, Literal

import pydantic

from components.settings import Settings

SOLVED = "lbfgs"
OptimizerName = Literal["adam", "adamw", "rmsprop", "sgd", SOLVED]


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

    epochs: int = pydantic.Field(
        10, ge=0, le=10_000, description="0 leaves the phase out; with `lbfgs` 1, or 0"
    )
    batch_size: int | None = pydantic.Field(
        None, ge=1, le=65_536, description="null: training.batch_size"
    )
    optimizer: OptimizerName = pydantic.Field(
        "adam",
        description="lbfgs: the head is solved as a logistic regression on the kept features, its "
        "penalty chosen on the validation split; it has no rate",
    )
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

    @property
    def is_solved(self) -> bool:
        """True where the head is not trained in steps but solved."""
        return self.optimizer == SOLVED

    @pydantic.model_validator(mode="before")
    @classmethod
    def _fill_in_epochs(cls, values: Any) -> Any:
        """A solver needs no epochs, so that nobody needs to say how many."""
        if isinstance(values, dict) and values.get("optimizer") == SOLVED:
            return {"epochs": 1, **values}
        return values

    @pydantic.model_validator(mode="after")
    def _check_solved(self) -> "PhaseSettings":
        if not self.is_solved:
            return self
        if self.epochs > 1:
            raise ValueError(
                f"optimizer {SOLVED} solves the head at once: set epochs to 1, not {self.epochs}"
            )
        if self.schedule != "constant" or self.weight_decay is not None:
            raise ValueError(
                f"optimizer {SOLVED} has no steps: leave out schedule and weight_decay"
            )
        if self.fine_tune_at is not None:
            raise ValueError(
                f"optimizer {SOLVED} is for phases in which the head alone learns: leave out "
                "fine_tune_at"
            )
        return self

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

    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] = "rmsprop"
    learning_rate: float = pydantic.Field(3e-5, gt=0.0, le=10.0)
    fine_tune_at: int | str = pydantic.Field(
        100, description="index or name of the first backbone layer that learns, or `all`"
    )


class ListedPhaseSettings(PhaseSettings):
    """One phase of the list `training.phases`."""

    name: str = pydantic.Field(
        pattern="^[a-z0-9_-]+$", max_length=40, description="a-z, 0-9, - and _; no other has it"
    )
