"""Adds the step Probe to a package, see `pipeline.kubeflow.step.probe`."""

import json
from typing import Any

from components.settings import SETTINGS_KEY
from pipeline.kubeflow.package.setting_paths import FILES_FINGERPRINT, PUSH_DESTINATION, RECORDED
from pipeline.node_ids import BASELINE_FINDER, IMAGE_EXAMPLE_GEN, PROBE, PUSHER, TRAINER

COMMAND = ("python", "-m", "pipeline.kubeflow.step.probe")

# What it says, and the steps that have it as an input of that name.
_FINGERPRINTS = (
    ("input_fingerprint", IMAGE_EXAMPLE_GEN),
    ("ledger_fingerprint", IMAGE_EXAMPLE_GEN),
    ("served_fingerprint", BASELINE_FINDER),
    (FILES_FINGERPRINT, TRAINER),
    *((name, PUSHER) for name in RECORDED),
)
# What it looks at: names of its inputs, and the step that has the same.
_LOOKS_AT = {
    "source": IMAGE_EXAMPLE_GEN,
    "settings": IMAGE_EXAMPLE_GEN,
    "unlabelled": IMAGE_EXAMPLE_GEN,
    PUSH_DESTINATION: BASELINE_FINDER,
}


def add_probe(spec: dict[str, Any]) -> None:
    """Adds the step and hands what it finds to the steps that are cached by it.

    Args:
        spec: a PipelineSpec with its run parameters; changed in place.
    """
    tasks, components = spec["root"]["dag"]["tasks"], spec["components"]
    label = f"{PROBE}_executor"
    # A pipeline cannot do this itself: TFX compiles `output.future()` to a task that is not there.
    inputs = {name: tasks[task]["inputs"]["parameters"][name] for name, task in _LOOKS_AT.items()}
    config = tasks[TRAINER]["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"]
    inputs["trainer"] = {"runtimeValue": {"constant": json.loads(config)[SETTINGS_KEY]}}
    text = {"parameterType": "STRING"}
    components[PROBE] = {
        "executorLabel": label,
        "inputDefinitions": {"parameters": {name: dict(text) for name in inputs}},
        "outputDefinitions": {"parameters": {name: dict(text) for name, _ in _FINGERPRINTS}},
    }
    spec["deploymentSpec"]["executors"][label] = {
        "container": {"command": list(COMMAND), "args": ["--executor_input", "{{$}}"]}
    }
    tasks[PROBE] = {
        "taskInfo": {"name": PROBE},
        "componentRef": {"name": PROBE},
        "inputs": {"parameters": inputs},
    }
    for name, step in _FINGERPRINTS:
        task = tasks[step]
        definitions = components[task["componentRef"]["name"]].setdefault("inputDefinitions", {})
        definitions.setdefault("parameters", {})[name] = dict(text)
        task["inputs"]["parameters"][name] = {
            "taskOutputParameter": {"producerTask": PROBE, "outputParameterKey": name}
        }
        task["dependentTasks"] = sorted({*task.get("dependentTasks", ()), PROBE})
