"""Which settings of a recipe every run of its package may choose.

The source and the destination are execution properties of their steps. Others, such as the number
of epochs, lie in the JSON of the Trainer's `custom_config`; the package hands these to the step
beside its execution properties, together with their paths in that JSON
(`pipeline.kubeflow.step.run_parameters`).
"""

import dataclasses
from typing import Any

from components.errors import UserError
from pipeline.config import Recipe
from pipeline.kubeflow.package.setting_paths import DATA_SOURCE, PUSH_DESTINATION, SettingPath
from pipeline.node_ids import BASELINE_FINDER, IMAGE_EXAMPLE_GEN, PUSHER

_TYPES = {str: "STRING", int: "NUMBER_INTEGER", float: "NUMBER_DOUBLE"}
_FREE_BLOCKS = ("training", "head")  # what other steps do does not hang on these


@dataclasses.dataclass(frozen=True)
class ExposedSetting:
    """A setting of a recipe that every run may choose.

    Attributes:
        name: in the form.
        default: text, whole number or number.
        description: shown beside it.
        key: where a recipe has it.
        properties: the execution properties that are this value, by step.
        setting_path: instead, where the Trainer's settings have it.
    """

    name: str
    default: str | int | float
    description: str
    key: str
    properties: tuple[tuple[str, str], ...] = ()
    setting_path: SettingPath | None = None

    @property
    def type(self) -> str:
        """As a pipeline's specification names it."""
        return _TYPES[type(self.default)]

    @property
    def recipe_path(self) -> SettingPath:
        """Where a recipe in full has it: the Trainer's settings are blocks of it."""
        return self.setting_path or self.key.split(".")


def exposed_settings(
    recipe: Recipe, data_source: str, push_destination: str
) -> list[ExposedSetting]:
    """The parameters of a recipe's runs: the fixed ones, and those of `kubeflow.parameters`.

    Args:
        recipe: what will run.
        data_source: default of where the pictures are.
        push_destination: default of where the served versions go.

    Raises:
        UserError: `kubeflow.parameters` names what cannot be one.
    """
    parameters = [
        ExposedSetting(
            DATA_SOURCE,
            data_source,
            "where the pictures are",
            "data.source",
            properties=((IMAGE_EXAMPLE_GEN, "source"),),
        ),
        ExposedSetting(
            PUSH_DESTINATION,
            push_destination,
            "folder of the served versions, on a mounted volume, or s3://bucket/folder",
            "push.destination",
            properties=(
                (BASELINE_FINDER, PUSH_DESTINATION),
                (PUSHER, PUSH_DESTINATION),
            ),
        ),
    ]
    training = recipe.training
    keys = [f"{training.key(phase)}.epochs" for phase in training.phases]
    parameters += [_of_trainer(recipe, key) for key in [*keys, *recipe.kubeflow.parameters]]
    names = [parameter.name for parameter in parameters]
    for parameter in parameters:
        if names.count(parameter.name) > 1:
            raise UserError(
                f"kubeflow.parameters: {parameter.name} ({parameter.key}) is there twice; "
                f"without being listed there are {', '.join(names[: 2 + len(keys)])}"
            )
    return parameters


def _of_trainer(recipe: Recipe, key: str) -> ExposedSetting:
    """The parameter for a key of the recipe that the Trainer's settings hold too."""
    block, *_ = keys = key.split(".")
    if block not in _FREE_BLOCKS:
        raise UserError(
            f"kubeflow.parameters: {key} is not below {' or '.join(_FREE_BLOCKS)}: of the rest, "
            "more than the Trainer depends on it"
        )
    setting_path: SettingPath = []
    value: Any = recipe.trainer.model_dump(mode="json")
    for part in keys:
        position = _position(value, part)
        if position is None:
            raise UserError(
                f"kubeflow.parameters: there is no {key} in this recipe; "
                f"{'.'.join(map(str, setting_path))} has {', '.join(_names(value)) or 'no blocks'}"
            )
        setting_path.append(position)
        value = value[position]
    if type(value) not in _TYPES:
        found = {bool: "true or false", type(None): "not set"}.get(type(value), "a block or list")
        raise UserError(
            f"kubeflow.parameters: {key} is {found}; a run parameter is a text or a number"
        )
    names = [part for part in keys if part not in ("training", "phases")]
    name = "_".join(names).replace("-", "_")
    return ExposedSetting(name, value, key, key, setting_path=setting_path)


def _position(block: Any, part: str) -> str | int | None:
    """Where a block or a list of named blocks holds the part of a key."""
    if isinstance(block, dict):
        return part if part in block else None
    names = _names(block)
    return names.index(part) if part in names else None


def _names(block: Any) -> list[str]:
    if isinstance(block, dict):
        return list(block)
    if isinstance(block, list):
        return [item.get("name", "") for item in block if isinstance(item, dict)]
    return []
