"""Adds steps, and parameters from one to another, to a PipelineSpec that TFX compiled."""

from collections.abc import Sequence
from typing import Any

_TEXT = "STRING"


def add_step(spec: dict[str, Any], name: str, command: Sequence[str]) -> None:
    """Adds a step without inputs, which is handed the ExecutorInput and has no artifacts.

    Args:
        spec: changed in place.
        name: of the task.
        command: of the container.
    """
    label = f"{name}_executor"
    spec["components"][name] = {"executorLabel": label}
    spec["deploymentSpec"]["executors"][label] = {
        "container": {"command": list(command), "args": ["--executor_input", "{{$}}"]}
    }
    spec["root"]["dag"]["tasks"][name] = {
        "taskInfo": {"name": name},
        "componentRef": {"name": name},
    }


def add_input(
    spec: dict[str, Any], task: str, name: str, source: dict[str, Any], kind: str = _TEXT
) -> None:
    """Gives a step an input beside its execution properties, see `apply_run_parameters`.

    Args:
        spec: changed in place.
        task: name of the task.
        name: of the input.
        source: of its value, as `{"componentInputParameter": …}`.
        kind: STRING, NUMBER_INTEGER or NUMBER_DOUBLE.
    """
    step = spec["root"]["dag"]["tasks"][task]
    _parameters(_component(spec, task), "inputDefinitions")[name] = {"parameterType": kind}
    _parameters(step, "inputs")[name] = source


def hand_on(spec: dict[str, Any], giver: str, taker: str, name: str) -> None:
    """Gives a step an output parameter, a text, and another one that as an input.

    Args:
        spec: changed in place.
        giver: name of the task that has the output.
        taker: name of the task that has the input.
        name: of both.
    """
    _parameters(_component(spec, giver), "outputDefinitions")[name] = {"parameterType": _TEXT}
    source = {"taskOutputParameter": {"producerTask": giver, "outputParameterKey": name}}
    add_input(spec, taker, name, source)


def _component(spec: dict[str, Any], task: str) -> dict[str, Any]:
    return spec["components"][spec["root"]["dag"]["tasks"][task]["componentRef"]["name"]]


def _parameters(owner: dict[str, Any], side: str) -> dict[str, Any]:
    return owner.setdefault(side, {}).setdefault("parameters", {})
