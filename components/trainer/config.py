"""Settings of the Trainer: the network and the two phases of its fine-tuning."""

from typing import Literal

import pydantic

from components.settings import Settings
from components.trainer.backbones import BACKBONES

ALL_LAYERS = "all"


class BackboneSettings(Settings):
    """The block `backbone` of a recipe: which pretrained network, at which input size."""

    name: Literal[tuple(BACKBONES)] = "mobilenet_v2"
    alpha: Literal[0.35, 0.5, 0.75, 1.0, 1.3, 1.4] = pydantic.Field(
        1.0, description="width multiplier, for networks that have one"
    )
    image_size: int = pydantic.Field(160, ge=32, le=1024, description="pixels per side")
    weights: str = pydantic.Field(
        "imagenet",
        min_length=1,
        description="`imagenet`, `glyphs` (built in), `none` (from scratch) or the path of a "
        ".weights.h5 file",
    )

    @pydantic.model_validator(mode="after")
    def _check(self) -> "BackboneSettings":
        if self.alpha != 1.0 and not BACKBONES[self.name].has_alpha:
            raise ValueError(f"{self.name} has one width only: alpha must be 1, not {self.alpha:g}")
        if self.weights == "glyphs" and (self.name, self.alpha) != ("mobilenet_v2", 0.35):
            raise ValueError(
                "weights `glyphs` are for mobilenet_v2 with alpha 0.35, "
                f"not {self.name} with alpha {self.alpha:g}"
            )
        return self

    @property
    def from_scratch(self) -> bool:
        """True where there is nothing to transfer."""
        return self.weights == "none"


class HeadSettings(Settings):
    """The block `head` of a recipe: pooling, dropout, a linear layer (two classes: one logit)."""

    dropout: float = pydantic.Field(0.2, ge=0.0, lt=1.0)


class EarlyStoppingSettings(Settings):
    """Ends a phase that stopped getting better on the validation split."""

    patience: int = pydantic.Field(
        5, ge=0, description="epochs without improvement; 0: never stop early"
    )


class PhaseSettings(Settings):
    """One phase of training."""

    epochs: int = pydantic.Field(10, ge=0, le=10_000, description="0 leaves the phase out")
    optimizer: Literal["adam", "rmsprop", "sgd"] = "adam"
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
    early_stopping: EarlyStoppingSettings = EarlyStoppingSettings()

    @pydantic.model_validator(mode="after")
    def _check_warmup(self) -> "PhaseSettings":
        if self.warmup_epochs and self.schedule != "cosine":
            raise ValueError("warmup_epochs is for schedule: cosine")
        if self.epochs and self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs must be less than epochs ({self.epochs})")
        return self


class UnfrozenPhaseSettings(PhaseSettings):
    """The second phase, in which the backbone's last layers learn too."""

    optimizer: Literal["adam", "rmsprop", "sgd"] = "rmsprop"
    learning_rate: float = pydantic.Field(3e-5, gt=0.0, le=10.0)
    fine_tune_at: int | str = pydantic.Field(
        100, description="index or name of the first backbone layer that learns, or `all`"
    )


class TrainingSettings(Settings):
    """The block `training` of a recipe."""

    batch_size: int = pydantic.Field(32, ge=1, le=65_536, description="over all devices together")
    device: Literal["auto", "cpu", "gpu"] = pydantic.Field(
        "auto",
        description="gpu: no run without one; cpu: leave the GPUs alone; auto: GPUs where there "
        "are some",
    )
    mixed_precision: bool = pydantic.Field(
        True, description="float16 arithmetic on GPUs; ignored on CPUs"
    )
    frozen: PhaseSettings = PhaseSettings()
    unfrozen: UnfrozenPhaseSettings = UnfrozenPhaseSettings()

    @pydantic.model_validator(mode="after")
    def _check(self) -> "TrainingSettings":
        if not self.phases:
            raise ValueError("frozen.epochs and unfrozen.epochs are both 0: nothing to train")
        if self.frozen.fine_tune_at is not None:
            raise ValueError("frozen.fine_tune_at must be null: that is what makes it frozen")
        return self

    @property
    def phases(self) -> dict[str, PhaseSettings]:
        """The phases that have epochs, in the order in which they run."""
        phases = {"frozen": self.frozen, "unfrozen": self.unfrozen}
        return {name: phase for name, phase in phases.items() if phase.epochs}


class TrainerSettings(Settings):
    """All that `run_fn` needs to know, put together from the recipe by the wiring.

    Attributes:
        views: how many views of a picture there are in the whole training; None: a fresh one in
            every epoch.
    """

    backbone: BackboneSettings = BackboneSettings()
    head: HeadSettings = HeadSettings()
    training: TrainingSettings = TrainingSettings()
    views: int | None = None
    seed: int = 0

    @pydantic.model_validator(mode="after")
    def _check(self) -> "TrainerSettings":
        for phase in self.training.phases.values():
            if self.backbone.from_scratch and phase.fine_tune_at not in (ALL_LAYERS, 0):
                raise ValueError(
                    "backbone.weights is `none`, so there is nothing to keep frozen: "
                    "set training.frozen.epochs to 0 and training.unfrozen.fine_tune_at to `all`"
                )
        return self
