"""A recipe: one YAML file that says everything about a run.

Each component owns the model of its block; this module puts them together, loads a file, applies
overrides and words the errors.
"""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pydantic

from components import destinations
from components.data_gate.config import DataGateSettings
from components.errors import UserError
from components.evaluator.config import EvaluationSettings
from components.example_gen.config import DataSettings
from components.pusher.config import PushSettings
from components.serving_gate.config import ServingGateSettings
from components.settings import LocalPath, Settings
from components.text import did_you_mean, one_line
from components.trainer.settings.backbones import BACKBONES
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.settings.pseudo_labels import PseudoLabelSettings
from components.trainer.settings.serving import ServingSettings
from components.trainer.settings.trainer import (
    BackboneSettings,
    HeadSettings,
    TrainerSettings,
    TrainingSettings,
)
from components.transform.config import AugmentationSettings, TransformSettings
from components.validation import explain
from pipeline.beam_config import BeamSettings
from pipeline.kubeflow.settings import KubeflowSettings
from pipeline.yaml_documents import read_document

RECIPES = Path(__file__).parent / "configs"
# Keys at the top of a file that begin so are nobody's settings.
_FREE = "x-"
# Blocks of `serving` as a recipe may have them.
_HEDGES = {"label_set": "label_set: 0.95", "abstain": "abstain: {accuracy: 0.99}"}


class RecipeError(UserError):
    """A recipe that cannot be used; the text is for its author, one problem per line."""


class Recipe(Settings):
    """One run, from the pictures to the served model."""

    name: str = pydantic.Field(
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
        max_length=63,
        description="names the run's folder: a-z, 0-9, - and _",
    )
    seed: int = pydantic.Field(
        0, ge=0, lt=2**31, description="one seed for everything that is random"
    )
    workspace: LocalPath = pydantic.Field(
        "runs", min_length=1, description="folder for all that runs leave behind"
    )
    data: DataSettings = DataSettings()
    data_gate: DataGateSettings = DataGateSettings()
    backbone: BackboneSettings = BackboneSettings()
    head: HeadSettings = HeadSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    training: TrainingSettings = TrainingSettings()
    distillation: DistillationSettings | None = None
    pseudo_labels: PseudoLabelSettings | None = None
    serving: ServingSettings = ServingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    serving_gate: ServingGateSettings = ServingGateSettings()
    push: PushSettings = PushSettings()
    beam: BeamSettings = BeamSettings()
    kubeflow: KubeflowSettings = KubeflowSettings()

    @pydantic.model_validator(mode="after")
    def _check(self) -> "Recipe":
        _ = self.trainer  # settings of different blocks that do not go together
        asked = self.evaluation
        for key, wanted, block in (
            ("min_label_set_coverage", asked.min_label_set_coverage, "label_set"),
            ("min_accuracy_when_sure", asked.min_accuracy_when_sure, "abstain"),
            ("min_share_sure", asked.min_share_sure, "abstain"),
        ):
            if wanted is not None and getattr(self.serving, block) is None:
                raise ValueError(
                    f"evaluation.{key} needs a model that says so: set serving.{_HEDGES[block]}"
                )
        return self

    @property
    def transform(self) -> TransformSettings:
        """What the Transform graph needs of this recipe."""
        return TransformSettings(
            image_size=self.backbone.image_size,
            value_range=BACKBONES[self.backbone.name].value_range,
            # The graph draws any view; how many the Trainer asks for is not its business.
            augmentation=self.augmentation.replaced(views=None),
            seed=self.seed,
        )

    @property
    def trainer(self) -> TrainerSettings:
        """What the Trainer needs of this recipe."""
        augmentation = self.augmentation
        return TrainerSettings(
            backbone=self.backbone,
            head=self.head,
            training=self.training,
            distillation=self.distillation,
            pseudo_labels=self.pseudo_labels,
            serving=self.serving,
            views=augmentation.views if augmentation.changes_pixels else 1,
            seed=self.seed,
        )

    @property
    def folder(self) -> Path:
        """Where the runs of this recipe live."""
        return Path(self.workspace) / self.name

    @property
    def push_destination(self) -> Path | str:
        """Where served versions live: a folder, or an address in an object store."""
        destination = self.push.destination
        if destinations.is_bucket(destination):
            return destination
        return Path(destination) if destination else self.folder / "serving"


def recipe_names() -> list[str]:
    """Names of the recipes that come with Graft."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def load_recipe(config: str, overrides: Iterable[str] = ()) -> Recipe:
    """Loads a recipe by its name or from a file.

    Args:
        config: name of a recipe that comes with Graft, or the path of a YAML file.
        overrides: `key=value` with dots between the blocks, as `training.unfrozen.epochs=3`. In a
            list of phases the name tells which one: `training.phases.top.epochs=3`.

    Returns:
        The recipe, checked.

    Raises:
        RecipeError: no such recipe, not YAML, an unknown key, or a value that is out of its range.
    """
    path = RECIPES / f"{config}.yaml" if config in recipe_names() else Path(config)
    values = _read(path, config)
    for override in overrides:
        _override(values, override)
    try:
        return Recipe.model_validate(values)
    except pydantic.ValidationError as error:
        raise RecipeError(explain(error, Recipe)) from error


def _read(path: Path, config: str) -> dict[str, Any]:
    """The values of a file, without its keys `x-…`, which are places for anchors."""
    name = one_line(config, 200)
    try:
        values = read_document(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = did_you_mean(config, recipe_names())
        raise RecipeError(
            f"there is no recipe or file {name}{near}. Recipes: {', '.join(recipe_names())}"
        ) from None
    except OSError as error:
        raise RecipeError(f"{name} cannot be read: {error.strerror}") from error
    except UserError as error:
        raise RecipeError(f"{name}: {error}") from error
    except ValueError as error:  # not UTF-8, or a path with a null byte
        raise RecipeError(f"{name} cannot be read: {one_line(error)}") from error
    if not isinstance(values, dict):
        raise RecipeError(f"{name} must be a mapping of blocks such as `data:` and `training:`")
    return {key: value for key, value in values.items() if not str(key).startswith(_FREE)}


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    shown = f"--set {one_line(override, 200)}"
    if not equals or not key:
        raise RecipeError(f"{shown}: write key=value, as in training.unfrozen.epochs=3")
    try:
        value = read_document(text)
    except UserError as error:
        raise RecipeError(f"{shown}: {error}") from error
    *blocks, last = key.split(".")
    for block in blocks:
        if isinstance(values, list):
            values = _named(values, block, shown)
        else:
            # A block that an anchor gave to several places is changed in this one alone.
            inner = values.get(block)  # null: a block that may be left out, and was
            values[block] = {} if inner is None else copy.copy(inner)
            values = values[block]
        if not isinstance(values, dict | list):
            raise RecipeError(f"{shown}: {block} is a value, not a block")
    if isinstance(values, list):
        raise RecipeError(f"{shown}: {blocks[-1]} is a list, not a block")
    values[last] = value


def _named(blocks: list[Any], name: str, shown: str) -> Any:
    """The block of a list that has a name."""
    with_names = (block for block in blocks if isinstance(block, dict) and "name" in block)
    named = {str(block["name"]): block for block in with_names}
    if name not in named:
        known = one_line(", ".join(named)) or "nothing with a name"
        raise RecipeError(f"{shown}: the list holds no {name}; it holds {known}")
    return named[name]
