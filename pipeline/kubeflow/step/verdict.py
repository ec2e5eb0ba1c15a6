"""Why a Pusher pushed nothing, for the end of its step."""

from typing import Any

from components.gates import failed, read_gates


def why_not_pushed(executor_input: dict[str, Any], executor_output: dict[str, Any]) -> str:
    """One line that names the gates that failed.

    Args:
        executor_input: of the step, with local paths.
        executor_output: of the step.

    Returns:
        Empty if a model was pushed, if the model is the one that is served already, or if the step
        is no Pusher.
    """
    outputs = executor_output.get("artifacts", {})
    if "pushed_model" not in outputs:
        return ""
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
