"""Parameters of a run: what its form offers, and how the values reach the steps.

The source and the destination are execution properties of their steps. Others, such as the number
of epochs, lie in the JSON of the Trainer's `custom_config`; the package hands these to the step
beside its execution properties, together with the places where they belong, and the entrypoint
folds them in before TFX sees them. The schema takes the same way: no file has to be in the image.
So do the volumes of the steps that serve, for which a run may choose another folder.
"""

import dataclasses
import json
import pathlib
import tempfile
from typing import Any

import pydantic

from components.trainer.config import TrainerSettings
from pipeline.config import Recipe
from pipeline.kubeflow.volumes import on_volume

PLACES = "run_parameters"
SCHEMA_TEXT = "schema_text"
MOUNT_PATHS = "mount_paths"

PUSH_DESTINATION = "push_destination"
_CONFIG, _SETTINGS, _SCHEMA_FILE = "custom_config", "settings", "schema_file"
_TYPES = {str: "STRING", int: "NUMBER_INTEGER", float: "NUMBER_DOUBLE"}
_FREE_BLOCKS = ("training", "head")  # what other steps do does not hang on these

Place = list[str | int]


@dataclasses.dataclass(frozen=True)
class ExposedSetting:
    """A setting of a recipe that every run may choose.

    Attributes:
        name: in the form.
        default: text, whole number or number.
        description: shown beside it.
        key: where a recipe has it.
        properties: the execution properties that are this value, by step.
        place: instead, where the Trainer's settings have it.
    """

    name: str
    default: str | int | float
    description: str
    key: str
    properties: tuple[tuple[str, str], ...] = ()
    place: Place | None = None

    @property
    def type(self) -> str:
        """As a pipeline's specification names it."""
        return _TYPES[type(self.default)]


def run_parameters(recipe: Recipe, data_source: str, push_destination: str) -> list[ExposedSetting]:
    """The parameters of a recipe's runs: the fixed ones, and those of `kubeflow.parameters`.

    Args:
        recipe: what will run.
        data_source: default of where the pictures are.
        push_destination: default of where the served versions go.

    Raises:
        ValueError: `kubeflow.parameters` names what cannot be one.
    """
    parameters = [
        ExposedSetting(
            "data_source",
            data_source,
            "where the pictures are",
            "data.source",
            properties=(("ImageExampleGen", "source"),),
        ),
        ExposedSetting(
            PUSH_DESTINATION,
            push_destination,
            "folder of the served versions, on a mounted volume",
            "push.destination",
            properties=(
                ("BaselineFinder", PUSH_DESTINATION),
                ("Pusher", PUSH_DESTINATION),
            ),
        ),
    ]
    training = recipe.training
    keys = [f"{training.key(phase)}.epochs" for phase in training.phases]
    parameters += [_of_trainer(recipe, key) for key in [*keys, *recipe.kubeflow.parameters]]
    names = [parameter.name for parameter in parameters]
    for parameter in parameters:
        if names.count(parameter.name) > 1:
            raise ValueError(
                f"kubeflow.parameters: {parameter.name} ({parameter.key}) is there twice; "
                f"without being listed there are {', '.join(names[: 2 + len(keys)])}"
            )
    return parameters


def _of_trainer(recipe: Recipe, key: str) -> ExposedSetting:
    """The parameter for a key of the recipe that the Trainer's settings hold too."""
    block, *_ = keys = key.split(".")
    if block not in _FREE_BLOCKS:
        raise ValueError(
            f"kubeflow.parameters: {key} is not below {' or '.join(_FREE_BLOCKS)}: of the rest, "
            "more than the Trainer depends on it"
        )
    place: Place = []
    value: Any = recipe.trainer.model_dump(mode="json")
    for part in keys:
        position = _position(value, part)
        if position is None:
            raise ValueError(
                f"kubeflow.parameters: there is no {key} in this recipe; "
                f"{'.'.join(map(str, place))} has {', '.join(_names(value)) or 'no blocks'}"
            )
        place.append(position)
        value = value[position]
    if type(value) not in _TYPES:
        found = {bool: "true or false", type(None): "not set"}.get(type(value), "a block or list")
        raise ValueError(
            f"kubeflow.parameters: {key} is {found}; a run parameter is a text or a number"
        )
    names = [part for part in keys if part not in ("training", "phases")]
    name = "_".join(names).replace("-", "_")
    return ExposedSetting(name, value, key, key, place=place)


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


def fold_in(parameter_values: dict[str, Any]) -> dict[str, Any]:
    """Puts what the package hands a step beside its execution properties into these.

    Args:
        parameter_values: a step's input parameters, as Kubeflow Pipelines passes them on.

    Returns:
        The execution properties alone. Those of a step without such extras are as they were.

    Raises:
        ValueError: a value that the Trainer cannot have, or a destination that would be gone with
            the pod; the text names the run parameter.
    """
    values = dict(parameter_values)
    if SCHEMA_TEXT in values:
        path = pathlib.Path(tempfile.mkdtemp(prefix="schema-")) / "schema.pbtxt"
        path.write_text(values.pop(SCHEMA_TEXT), encoding="utf-8")
        values[_SCHEMA_FILE] = str(path)
    if MOUNT_PATHS in values:
        _check_on_volume(values[PUSH_DESTINATION], json.loads(values.pop(MOUNT_PATHS)))
    if PLACES in values:
        places = json.loads(values.pop(PLACES))
        chosen = {name: _whole(values.pop(name)) for name in places}
        config = json.loads(values[_CONFIG])
        config[_SETTINGS] = _with(config[_SETTINGS], places, chosen)
        values[_CONFIG] = json.dumps(config)
    return values


def _check_on_volume(path: str, mount_paths: list[str]) -> None:
    if not on_volume(path, mount_paths):
        raise ValueError(
            f"run parameter {PUSH_DESTINATION}: {path} is on no volume, so the model would be lost "
            f"with its pod; name a folder below {' or '.join(mount_paths) or 'a mounted volume'}"
        )


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 3 may arrive as 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _with(settings_json: str, places: dict[str, Place], chosen: dict[str, Any]) -> str:
    settings = json.loads(settings_json)
    for name, (*blocks, last) in places.items():
        block = settings
        for part in blocks:
            block = block[part]
        block[last] = chosen[name]
    try:
        return TrainerSettings.model_validate(settings).model_dump_json()
    except pydantic.ValidationError as error:
        problems = (_explain(e, places, chosen) for e in error.errors(include_url=False))
        raise ValueError("; ".join(problems)) from None


def _explain(error: dict[str, Any], places: dict[str, Place], chosen: dict[str, Any]) -> str:
    message = error["msg"].removeprefix("Value error, ")
    at = [name for name, place in places.items() if tuple(place) == error["loc"]]
    if not at:  # of values that do not go together
        given = ", ".join(f"{name}={value}" for name, value in chosen.items())
        return f"run parameters {given}: {message}"
    return f"run parameter {at[0]}: {message[:1].lower() + message[1:]}, not {chosen[at[0]]!r}"
