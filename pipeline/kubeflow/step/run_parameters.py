"""Puts the parameters of a run into the execution properties of a step, inside its pod."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic

from components import destinations
from components.errors import UserError
from components.example_gen.reading.sources import DIGITS
from components.settings import SETTINGS_KEY
from components.trainer.settings.trainer import TrainerSettings
from components.validation import Problem, problems
from pipeline.kubeflow.package.setting_paths import (
    DATA_SOURCE,
    FILES_FINGERPRINT,
    MACHINE,
    MOUNT_PATHS,
    NOTHING,
    PROVENANCE,
    PUSH_DESTINATION,
    RECIPE_PATHS,
    RECORDED,
    SCHEMA_TEXT,
    SETTING_PATHS,
    SettingPath,
)
from pipeline.kubeflow.package.volumes import is_of_this_machine, on_volume

_CONFIG, _SCHEMA_FILE = "custom_config", "schema_file"


def apply_run_parameters(parameter_values: dict[str, Any]) -> dict[str, Any]:
    """Puts what the package hands a step beside its execution properties into these.

    Args:
        parameter_values: a step's input parameters, as Kubeflow Pipelines passes them on.

    Returns:
        The execution properties alone. Those of a step without such extras are as they were.

    Raises:
        UserError: a value that the Trainer cannot have, or a destination that would be gone with
            the pod; the text names the run parameter.
    """
    values = dict(parameter_values)
    values.pop(FILES_FINGERPRINT, None)  # for the backend's cache key
    if SCHEMA_TEXT in values:
        path = Path(tempfile.mkdtemp(prefix="schema-")) / "schema.pbtxt"
        path.write_text(values.pop(SCHEMA_TEXT), encoding="utf-8")
        values[_SCHEMA_FILE] = str(path)
    if MOUNT_PATHS in values:
        _check_outlives_pod(values[PUSH_DESTINATION], json.loads(values.pop(MOUNT_PATHS)))
    if PROVENANCE in values:
        values[PROVENANCE] = _take_record(values)
    if SETTING_PATHS in values:
        paths = json.loads(values.pop(SETTING_PATHS))
        chosen = {name: _whole(values.pop(name)) for name in paths}
        config = json.loads(values[_CONFIG])
        config[SETTINGS_KEY] = _with(config[SETTINGS_KEY], paths, chosen)
        values[_CONFIG] = json.dumps(config)
    return values


def check_run_parameters(spec: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Applies the parameters of a run to every step's properties, as the pods will an hour later.

    Args:
        spec: the package's PipelineSpec.
        values: of all run parameters, by name.

    Raises:
        UserError: as `apply_run_parameters`, the source is a path of this machine, or the package
            contradicts itself.
    """
    source = values.get(DATA_SOURCE, DIGITS)
    if source != DIGITS and is_of_this_machine(source):
        raise UserError(
            f"run parameter {DATA_SOURCE}: {source!r} is a path of this machine; in a cluster it "
            "must be absolute, on a mounted volume or in the image"
        )
    for step, task in spec["root"]["dag"]["tasks"].items():
        sources = task.get("inputs", {}).get("parameters", {})
        if not {SETTING_PATHS, MOUNT_PATHS} & sources.keys():
            continue
        handed = {
            name: values[source["componentInputParameter"]]
            if "componentInputParameter" in source
            else source["runtimeValue"]["constant"]
            for name, source in sources.items()
            if "taskOutputParameter" not in source  # what other steps hand it in the run
        }
        try:
            apply_run_parameters(handed)
        except (LookupError, TypeError, AttributeError, json.JSONDecodeError):
            raise UserError(
                f"{step}: the package's {SETTING_PATHS} do not fit its settings: compile it again"
            ) from None


def _take_record(values: dict[str, Any]) -> str:
    """Takes out what only the run knows of a model's origin; gives all of it, as elsewhere."""
    facts = json.loads(values[PROVENANCE])
    for name, path in json.loads(values.pop(RECIPE_PATHS, "{}")).items():
        _put(facts["recipe"], path, _whole(values.pop(name)))
    facts |= json.loads(values.pop(MACHINE, "{}"))
    found = {name: values.pop(name) for name in RECORDED if name in values}
    inputs = {name: "" if value == NOTHING else value for name, value in found.items()}
    return json.dumps({**facts, "inputs": {**facts.get("inputs", {}), **inputs}}, indent=2)


def _check_outlives_pod(path: str, mount_paths: list[str]) -> None:
    try:
        in_bucket = destinations.is_bucket(destinations.checked(path))
    except UserError as error:
        raise UserError(f"run parameter {PUSH_DESTINATION}: {error}") from error
    if not in_bucket and not on_volume(path, mount_paths):
        raise UserError(
            f"run parameter {PUSH_DESTINATION}: {path} is on no volume, so the model would be lost "
            f"with its pod; name s3://BUCKET/FOLDER or a folder below "
            f"{' or '.join(mount_paths) or 'a mounted volume'}"
        )


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 3 may arrive as 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _put(block: Any, path: SettingPath, value: Any) -> None:
    *blocks, last = path
    for part in blocks:
        block = block[part]
    block[last] = value


def _with(settings_json: str, paths: dict[str, SettingPath], chosen: dict[str, Any]) -> str:
    settings = json.loads(settings_json)
    for name, path in paths.items():
        _put(settings, path, chosen[name])
    try:
        return TrainerSettings.model_validate(settings).model_dump_json()
    except pydantic.ValidationError as error:
        found = problems(error, TrainerSettings)
        raise UserError("; ".join(_explain(problem, paths, chosen) for problem in found)) from None


def _explain(problem: Problem, paths: dict[str, SettingPath], chosen: dict[str, Any]) -> str:
    at = [name for name, path in paths.items() if tuple(map(str, path)) == problem.path]
    if not at:  # of values that do not go together
        given = ", ".join(f"{name}={value}" for name, value in chosen.items())
        return f"run parameters {given}: {problem.message}"
    return f"run parameter {at[0]}: {problem.message}"
