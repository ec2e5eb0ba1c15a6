"""Adds the step Probe to a package, see `pipeline.kubeflow.step.probe`."""

import json
from typing import Any

from components.settings import SETTINGS_KEY
from pipeline.kubeflow.compiler.wiring import add_input, add_step, hand_on
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
    tasks = spec["root"]["dag"]["tasks"]
    # A pipeline cannot do this itself: TFX compiles `output.future()` to a task that is not there.
    add_step(spec, PROBE, COMMAND)
    for name, step in _LOOKS_AT.items():
        add_input(spec, PROBE, name, tasks[step]["inputs"]["parameters"][name])
    config = tasks[TRAINER]["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"]
    trainer = json.loads(config)[SETTINGS_KEY]
    add_input(spec, PROBE, "trainer", {"runtimeValue": {"constant": trainer}})
    for name, step in _FINGERPRINTS:
        hand_on(spec, PROBE, step, name)
        tasks[step]["dependentTasks"] = sorted({*tasks[step].get("dependentTasks", ()), PROBE})
