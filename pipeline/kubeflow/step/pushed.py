"""The Pusher's word: what its step hands on to the Verdict.

A step that ended as failed would lose its outputs, and nothing after it would be scheduled: so a
Pusher that was told no ends well.
"""

from typing import Any

from components.gates import failed, read_gates
from components.text import one_line
from pipeline.kubeflow.package.setting_paths import PUSHED
from pipeline.kubeflow.step.executor_io import with_parameter

YES = "yes"
_LONGEST_WORD = 4000


def hand_on(executor_output: dict[str, Any], executor_input: dict[str, Any]) -> dict[str, Any]:
    """Adds the word to what the Pusher's step leaves; that of other steps is as it was.

    Args:
        executor_output: of the step.
        executor_input: of the step, with local paths.
    """
    if "pushed_model" not in executor_output.get("artifacts", {}):
        return executor_output
    reason = why_not_pushed(executor_input, executor_output)
    word = one_line(reason, _LONGEST_WORD) or YES
    return with_parameter(executor_output, PUSHED, word)


def why_not_pushed(executor_input: dict[str, Any], executor_output: dict[str, Any]) -> str:
    """One line that names the gates that failed.

    Args:
        executor_input: of the step, with local paths.
        executor_output: of the step.

    Returns:
        Empty if a model was pushed, or if the model is the one that is served already.
    """
    outputs = executor_output["artifacts"]
    metadata = outputs["pushed_model"]["artifacts"][0].get("metadata", {})
    if metadata.get("pushed") or metadata.get("already_served"):
        return ""
    inputs = executor_input["inputs"]["artifacts"]
    gates = [
        gate
        for key in ("data_blessing", "model_blessing", "infra_blessing")
        for gate in read_gates(inputs[key]["artifacts"][0]["uri"])
    ]
    findings = "; ".join(f"{gate.name}: {gate.message}" for gate in failed(gates))
    return f"not pushed, what is served is as it was. {findings}"
