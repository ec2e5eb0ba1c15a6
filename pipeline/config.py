"""A recipe: one YAML file that says everything about a run.

Each component owns the model of its block; this module puts them together, loads a file, applies
overrides and words the errors.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import pydantic
import yaml

from components.evaluator.config import EvaluationSettings
from components.example_gen.config import DataSettings
from components.pusher.config import PushSettings
from components.serving_gate.config import ServingGateSettings
from components.settings import Settings
from components.trainer.settings.backbones import BACKBONES
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.settings.pseudo_labels import PseudoLabelSettings
from components.trainer.settings.trainer import (
    BackboneSettings,
    HeadSettings,
    TrainerSettings,
    TrainingSettings,
)
from components.transform.config import AugmentationSettings, TransformSettings
from pipeline.beam_config import BeamSettings
from pipeline.kubeflow.settings import KubeflowSettings

RECIPES = Path(__file__).parent / "configs"


class RecipeError(ValueError):
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
    workspace: str = pydantic.Field(
        "runs", min_length=1, description="folder for all that runs leave behind"
    )
    data: DataSettings = DataSettings()
    backbone: BackboneSettings = BackboneSettings()
    head: HeadSettings = HeadSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    training: TrainingSettings = TrainingSettings()
    distillation: DistillationSettings | None = None
    pseudo_labels: PseudoLabelSettings | None = None
    evaluation: EvaluationSettings = EvaluationSettings()
    serving_gate: ServingGateSettings = ServingGateSettings()
    push: PushSettings = PushSettings()
    beam: BeamSettings = BeamSettings()
    kubeflow: KubeflowSettings = KubeflowSettings()

    @pydantic.model_validator(mode="after")
    def _check(self) -> "Recipe":
        _ = self.trainer  # settings of different blocks that do not go together
        return self

    @property
    def transform(self) -> TransformSettings:
        """What the Transform graph needs of this recipe."""
        return TransformSettings(
            image_size=self.backbone.image_size,
            value_range=BACKBONES[self.backbone.name].value_range,
            # The graph draws any view; how many the Trainer asks for is not its business.
            augmentation=self.augmentation.model_copy(update={"views": None}),
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
            views=augmentation.views if augmentation.changes_pixels else 1,
            seed=self.seed,
        )

    @property
    def folder(self) -> Path:
        """Where the runs of this recipe live."""
        return Path(self.workspace) / self.name

    @property
    def push_destination(self) -> Path:
        """Where served versions live."""
        return Path(self.push.destination) if self.push.destination else self.folder / "serving"


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
        raise RecipeError(
            "\n".join(_explain(e) for e in error.errors(include_url=False))
        ) from error


def _read(path: Path, config: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = _did_you_mean(config, recipe_names())
        raise RecipeError(
            f"there is no recipe or file {config}{near}. Recipes: {', '.join(recipe_names())}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise RecipeError(f"{path} must be a mapping of blocks such as `data:` and `training:`")
    return values


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {override}: write key=value, as in training.unfrozen.epochs=3")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {override}: the value is not YAML") from error
    *blocks, last = key.split(".")
    for block in blocks:
        if isinstance(values, list):
            values = _named(values, block, override)
        else:
            values = values.setdefault(block, {})
        if not isinstance(values, dict | list):
            raise RecipeError(f"--set {override}: {block} is a value, not a block")
    if isinstance(values, list):
        raise RecipeError(f"--set {override}: {blocks[-1]} is a list, not a block")
    values[last] = value


def _named(blocks: list[Any], name: str, override: str) -> Any:
    """The block of a list that has a name."""
    named = {block.get("name"): block for block in blocks if isinstance(block, dict)}
    if name not in named:
        known = ", ".join(map(str, named)) or "nothing with a name"
        raise RecipeError(f"--set {override}: the list holds no {name}; it holds {known}")
    return named[name]


def _explain(error: dict[str, Any]) -> str:
    """One line for one of pydantic's errors: which key, what is wrong, what would be right."""
    # Tags of a union, which are in brackets, are no keys.
    parts = [part for part in map(str, error["loc"]) if not part.startswith("(")]
    *blocks, last = parts or [""]
    key = ".".join([*blocks, last])
    if error["type"] == "extra_forbidden":
        known = _known_keys(blocks)
        near = _did_you_mean(last, known)
        return f"{key}: unknown key{near or '. Known: ' + ', '.join(known)}"
    message = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    given = error["input"]
    shown = (
        f", not {given!r}" if error["type"] != "value_error" and not isinstance(given, dict) else ""
    )
    return f"{key}: {message}{shown}" if key else f"{message}{shown}"


def _known_keys(blocks: list[str]) -> list[str]:
    model = Recipe
    for block in blocks:
        field = _fields(model).get(block)  # none: a place in a list, or a key of the user's own
        model = _block_model(field.annotation) if field else model
    return list(_fields(model))


def _fields(model: type[Settings]) -> dict[str, pydantic.fields.FieldInfo]:
    """The fields of a block by their keys in a recipe."""
    return {field.validation_alias or name: field for name, field in model.model_fields.items()}


def _block_model(annotation: Any) -> type[Settings]:
    """The settings in an annotation such as `tuple[PhaseSettings, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    return next(filter(None, map(_block_model, get_args(annotation))), None)


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean `{near[0]}`?)" if near else ""
