"""Settings of the Trainer: the network and the two phases of its fine-tuning."""

from typing import Annotated, Any, Literal

import pydantic

from components.settings import Settings
from components.trainer.backbones import BACKBONES, SAVED_MODEL

ALL_LAYERS = "all"

OptimizerName = Literal["adam", "adamw", "rmsprop", "sgd"]

# Digits as class names need no quotes in YAML.
_ClassName = Annotated[str, pydantic.Field(coerce_numbers_to_str=True)]


class BackboneSettings(Settings):
    """The block `backbone` of a recipe: which pretrained network, at which input size."""

    name: Literal[tuple(BACKBONES)] = "mobilenet_v2"
    alpha: Literal[0.35, 0.5, 0.75, 1.0, 1.3, 1.4] = pydantic.Field(
        1.0, description="width multiplier, for networks that have one"
    )
    image_size: int = pydantic.Field(
        None, ge=32, le=1024, description="pixels per side; null: the size the network was made for"
    )
    weights: str = pydantic.Field(
        "imagenet",
        min_length=1,
        description="`imagenet`, `glyphs` (built in), `none` (from scratch), the path of a "
        ".weights.h5 file or the folder of an earlier Graft model; for the name `saved_model` the "
        "folder of a SavedModel or the URL of one as .tar.gz",
    )
    sha256: str | None = pydantic.Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="of the .tar.gz that `weights` is the URL of: another one is refused",
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _fill_in_size(cls, values: Any) -> Any:
        """The default depends on the name; an unknown name is told by its own check."""
        if isinstance(values, dict) and values.get("image_size") is None:
            backbone = BACKBONES.get(values.get("name", "mobilenet_v2"))
            return {**values, "image_size": backbone.size if backbone else 224}
        return values

    @pydantic.model_validator(mode="after")
    def _check(self) -> "BackboneSettings":
        backbone = BACKBONES[self.name]
        if self.alpha != 1.0 and not backbone.has_alpha:
            raise ValueError(f"{self.name} has one width only: alpha must be 1, not {self.alpha:g}")
        if self.image_size < backbone.min_size:
            raise ValueError(
                f"image_size: {self.name} needs at least {backbone.min_size} pixels per side, "
                f"not {self.image_size}"
            )
        if self.weights == "glyphs" and (self.name, self.alpha) != ("mobilenet_v2", 0.35):
            raise ValueError(
                "weights `glyphs` are for mobilenet_v2 with alpha 0.35, "
                f"not {self.name} with alpha {self.alpha:g}"
            )
        if self.is_saved_model and self.weights in ("imagenet", "glyphs", "none"):
            raise ValueError(
                "weights of saved_model must be the folder of a SavedModel or the URL of one as "
                f".tar.gz, not `{self.weights}`"
            )
        if self.is_url and not self.is_saved_model:
            raise ValueError(f"weights may be a URL for the name saved_model only, not {self.name}")
        if self.sha256 and not self.is_url:
            raise ValueError("sha256 is for weights that are a URL")
        return self

    @property
    def from_scratch(self) -> bool:
        """True where there is nothing to transfer."""
        return self.weights == "none"

    @property
    def is_saved_model(self) -> bool:
        """True where the network is a feature vector from elsewhere, which never learns."""
        return self.name == SAVED_MODEL

    @property
    def is_url(self) -> bool:
        """True where the weights come from a server that the recipe names."""
        return self.weights.lower().startswith(("http://", "https://"))


class HeadSettings(Settings):
    """The block `head` of a recipe: pooling, hidden layers, a linear layer with the logits."""

    pooling: Literal["avg", "max", "flatten"] = pydantic.Field(
        "avg", description="avg, max: over the picture; flatten: all places, many more parameters"
    )
    hidden: tuple[pydantic.PositiveInt, ...] = pydantic.Field(
        (), description="widths of linear layers with relu between pooling and logits"
    )
    dropout: float = pydantic.Field(
        0.2, ge=0.0, lt=1.0, description="share of the inputs that each linear layer loses"
    )
    output: Literal["auto", "logit", "softmax"] = pydantic.Field(
        "auto", description="softmax: one output per class; logit: one for two; auto: the fewest"
    )
    class_prior_bias: bool = pydantic.Field(
        False,
        description="the logits' bias begins at the classes' shares of the train split, which "
        "saves epochs where they differ much",
    )


class EarlyStoppingSettings(Settings):
    """Ends a phase that stopped getting better on the validation split."""

    patience: int = pydantic.Field(
        5, ge=0, description="epochs without improvement; 0: never stop early"
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
    class_weights: Literal["none", "auto"] | dict[_ClassName, pydantic.PositiveFloat] = (
        pydantic.Field(
            "none",
            description="how much a picture counts in the training loss, by class name (left out: "
            "1); auto: classes count the same in total",
        )
    )
    label_smoothing: float = pydantic.Field(
        0.0, ge=0.0, lt=0.5, description="share of each label that is spread over all classes"
    )
    focal_gamma: float = pydantic.Field(
        0.0, ge=0.0, le=10.0, description="above 0: easy pictures count less (focal loss)"
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
        """The phases that have epochs, with their batch sizes, in the order in which they run."""
        phases = {"frozen": self.frozen, "unfrozen": self.unfrozen}
        return {
            name: phase.model_copy(update={"batch_size": phase.batch_size or self.batch_size})
            for name, phase in phases.items()
            if phase.epochs
        }


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
        for name, phase in self.training.phases.items():
            if self.backbone.is_saved_model and phase.fine_tune_at is not None:
                raise ValueError(
                    "backbone.name is saved_model, which never learns: "
                    f"set training.{name}.epochs to 0"
                )
            if self.backbone.from_scratch and phase.fine_tune_at not in (ALL_LAYERS, 0):
                raise ValueError(
                    "backbone.weights is `none`, so there is nothing to keep frozen: "
                    "set training.frozen.epochs to 0 and training.unfrozen.fine_tune_at to `all`"
                )
        return self
