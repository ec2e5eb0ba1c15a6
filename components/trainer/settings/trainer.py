"""Settings of the Trainer: the network and the phases of its fine-tuning."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import pydantic

from components.errors import UserError
from components.settings import ClassName, LocalPath, Settings
from components.trainer.settings.backbones import BACKBONES, SAVED_MODEL_BACKBONE
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.settings.phases import (
    SOLVED,
    ListedPhaseSettings,
    PhaseSettings,
    UnfrozenPhaseSettings,
)
from components.trainer.settings.pseudo_labels import PseudoLabelSettings
from components.trainer.settings.serving import ServingSettings

ALL_LAYERS = "all"
Precision = Literal["auto", "float32", "bf16"]

# The key of the list of phases; the field has another name beside the property of this one.
_LIST = "phases"


class BackboneSettings(Settings):
    """The block `backbone` of a recipe: which pretrained network, at which input size."""

    name: Literal[tuple(BACKBONES)] = "mobilenet_v2"
    alpha: Literal[0.35, 0.5, 0.75, 1.0, 1.3, 1.4] = pydantic.Field(
        1.0, description="width multiplier, for networks that have one"
    )
    image_size: int = pydantic.Field(
        None, ge=32, le=1024, description="pixels per side; null: the size the network was made for"
    )
    weights: LocalPath = pydantic.Field(
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
    trust_url: bool = pydantic.Field(
        False,
        description="whether an https URL in `weights` may go without sha256: a SavedModel is a "
        "program, and this runs whatever the server gives",
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _fill_in_size(cls, values: Any) -> Any:
        """The default depends on the name; an unknown name is told by its own check."""
        if isinstance(values, dict) and values.get("image_size") is None:
            name = values.get("name", "mobilenet_v2")
            backbone = BACKBONES.get(name) if isinstance(name, str) else None
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
        self._check_trust()
        return self

    def _check_trust(self) -> None:
        """A SavedModel is a program: what is downloaded must be the one that was meant."""
        if not self.is_url or self.sha256:
            return
        program = "a SavedModel is a program, and this recipe would run whatever the URL gives"
        if not self.weights.lower().startswith("https://"):
            raise ValueError(f"{program}: over http, set sha256 to the digest of the .tar.gz")
        if not self.trust_url:
            raise ValueError(
                f"{program}: set sha256 to the digest of the .tar.gz, or trust_url to true if you "
                "trust the server"
            )

    @property
    def from_scratch(self) -> bool:
        """True where there is nothing to transfer."""
        return self.weights == "none"

    @property
    def is_saved_model(self) -> bool:
        """True where the network is a feature vector from elsewhere, which never learns."""
        return self.name == SAVED_MODEL_BACKBONE

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

    def outputs(self, num_classes: int) -> int:
        """Width of the logits: 1 is the logit of the second of two classes.

        Args:
            num_classes: at least 2.

        Raises:
            UserError: there are too many classes for one logit.
        """
        if self.output == "logit" and num_classes > 2:
            raise UserError(
                f"head.output: `logit` is for two classes, but the data has {num_classes}: "
                "choose `auto` or `softmax`"
            )
        return 1 if num_classes == 2 and self.output != "softmax" else num_classes


# The tags keep a mistake in one from being told as a mistake in both.
_ClassWeights = Annotated[
    Annotated[Literal["none", "auto"], pydantic.Tag("(name)")]
    | Annotated[dict[ClassName, pydantic.PositiveFloat], pydantic.Tag("(weights)")],
    pydantic.Discriminator(lambda value: "(weights)" if isinstance(value, dict) else "(name)"),
]


class TrainingSettings(Settings):
    """The block `training` of a recipe.

    Its phases are the blocks `frozen` and `unfrozen`, or in their place a list `phases`.
    """

    batch_size: int = pydantic.Field(32, ge=1, le=65_536, description="over all devices together")
    device: Literal["auto", "cpu", "gpu"] = pydantic.Field(
        "auto",
        description="gpu: no run without one; cpu: leave the GPUs alone; auto: GPUs where there "
        "are some",
    )
    mixed_precision: bool = pydantic.Field(
        True, description="float16 arithmetic on GPUs; ignored on CPUs"
    )
    precision: Precision = pydantic.Field(
        "float32",
        description="what convolutions multiply in on CPUs while a backbone learns; weights, sums "
        "and the exported model are float32. auto: bf16 where the CPU has amx_bf16 or avx512_bf16",
    )
    class_weights: _ClassWeights = pydantic.Field(
        "none",
        description="how much a picture counts in the training loss, by class name (left out: 1); "
        "auto: classes count the same in total",
    )
    label_smoothing: float = pydantic.Field(
        0.0, ge=0.0, lt=0.5, description="share of each label that is spread over all classes"
    )
    focal_gamma: float = pydantic.Field(
        0.0, ge=0.0, le=10.0, description="above 0: easy pictures count less (focal loss)"
    )
    frozen: PhaseSettings = pydantic.Field(
        PhaseSettings(),
        description="the first, in which the head alone learns: fine_tune_at stays null",
    )
    unfrozen: UnfrozenPhaseSettings = UnfrozenPhaseSettings()
    listed: tuple[ListedPhaseSettings, ...] | None = pydantic.Field(
        None,
        validation_alias=_LIST,
        description="any number of phases, in place of `frozen` and `unfrozen`",
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _check_either(cls, values: Any) -> Any:
        """Which blocks were given is known only before the others get their defaults."""
        if isinstance(values, dict) and values.get(_LIST) is not None:
            both = [name for name in ("frozen", "unfrozen") if name in values]
            if both:
                raise ValueError(
                    f"{both[0]} and {_LIST} cannot both be given: write it as one of the phases, "
                    f"- {{name: {both[0]}, …}}"
                )
        return values

    @pydantic.model_validator(mode="after")
    def _check(self) -> "TrainingSettings":
        if self.listed is None:
            if not self.phases:
                raise ValueError("frozen.epochs and unfrozen.epochs are both 0: nothing to train")
            if self.frozen.fine_tune_at is not None:
                raise ValueError("frozen.fine_tune_at must be null: that is what makes it frozen")
            return self
        names = [phase.name for phase in self.listed]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{_LIST}: two phases have the name {name}")
        if not self.phases:
            raise ValueError(f"{_LIST}: no phase has any epochs: nothing to train")
        return self

    @pydantic.model_serializer(mode="wrap")
    def _as_given(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """The blocks or the list, whichever counts, so that what is dumped can be loaded."""
        values = handler(self)
        listed = values.pop("listed", None)
        if listed is None:
            return values
        values = {k: v for k, v in values.items() if k not in ("frozen", "unfrozen")}
        return {**values, _LIST: [{"name": phase["name"], **phase} for phase in listed]}

    @property
    def phases(self) -> dict[str, PhaseSettings]:
        """The phases that have epochs, with their batch sizes, in the order in which they run."""
        return {
            name: phase.model_copy(update={"batch_size": phase.batch_size or self.batch_size})
            for name, phase in self._all_phases.items()
            if phase.epochs
        }

    @property
    def names(self) -> list[str]:
        """Names of all phases, also of those without epochs."""
        return list(self._all_phases)

    @property
    def _all_phases(self) -> dict[str, PhaseSettings]:
        if self.listed is None:
            return {"frozen": self.frozen, "unfrozen": self.unfrozen}
        return {phase.name: phase for phase in self.listed}

    def key(self, name: str) -> str:
        """Where a recipe holds the settings of a phase, in the words of `graft --set`."""
        return f"training.{name}" if self.listed is None else f"training.{_LIST}.{name}"


class TrainerSettings(Settings):
    """All that `run_fn` needs to know, put together from the recipe by the wiring.

    Attributes:
        views: how many views of a picture there are in the whole training; None: a fresh one in
            every epoch.
    """

    backbone: BackboneSettings = BackboneSettings()
    head: HeadSettings = HeadSettings()
    training: TrainingSettings = TrainingSettings()
    distillation: DistillationSettings | None = None
    pseudo_labels: PseudoLabelSettings | None = None
    serving: ServingSettings = ServingSettings()
    views: int | None = None
    seed: int = 0

    @pydantic.model_validator(mode="after")
    def _check(self) -> "TrainerSettings":
        if self.distillation and self.training.focal_gamma:
            raise ValueError(
                "training.focal_gamma must be 0 with distillation: what it makes of the labels' "
                "loss would not compare with the teacher's share"
            )
        for key, reason in self._unsolvable():
            raise ValueError(
                f"{key}.optimizer {SOLVED} solves a linear head on features that are computed "
                f"once: {reason}"
            )
        for name, phase in self.training.phases.items():
            key = self.training.key(name)
            if self.backbone.is_saved_model and phase.fine_tune_at is not None:
                raise ValueError(
                    f"backbone.name is saved_model, which never learns: set {key}.epochs to 0"
                )
            if self.backbone.from_scratch and phase.fine_tune_at not in (ALL_LAYERS, 0):
                right = (
                    "training.frozen.epochs to 0 and training.unfrozen.fine_tune_at to `all`"
                    if self.training.listed is None
                    else f"{key}.fine_tune_at to `all`"
                )
                raise ValueError(
                    f"backbone.weights is `none`, so there is nothing to keep frozen: set {right}"
                )
        return self

    def _unsolvable(self) -> Iterator[tuple[str, str]]:
        """Phases whose head is to be solved and cannot be, by key, and what would be right."""
        training, learned = self.training, ""
        for name, phase in training.phases.items():
            key = training.key(name)
            if phase.fine_tune_at is not None:
                learned = learned or key
            if not phase.is_solved:
                continue
            obstacles = (
                (self.views is None, "set augmentation.views"),
                (self.head.hidden, "leave out head.hidden"),
                (self.head.pooling == "flatten", "set head.pooling to `avg` or `max`"),
                (self.distillation, "leave out distillation"),
                (training.focal_gamma, "set training.focal_gamma to 0"),
                (training.label_smoothing, "set training.label_smoothing to 0"),
                (learned, f"put it before {learned}, in which the backbone learns"),
            )
            yield from ((key, right) for found, right in obstacles if found)
