"""What a Pusher that pushed nothing has to say."""

from pathlib import Path
from typing import Any

from components.evaluator import results
from components.gates import Gate, read_gates
from components.serving_gate.executor import CHECKS_FILE


def why_not_pushed(executor_input: dict[str, Any], executor_output: dict[str, Any]) -> str:
    """One line that names the gates that said no.

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
    failed = [gate for gate in _gates(executor_input["inputs"]["artifacts"]) if not gate.passed]
    findings = "; ".join(f"{gate.name}: {gate.message}" for gate in failed)
    return f"not pushed, what is served is as it was. {findings or 'The model is not blessed'}"


def _gates(inputs: dict[str, Any]) -> list[Gate]:
    """All gates, from the files that lie beside the two blessings."""
    model_blessing, infra_blessing = (
        inputs[key]["artifacts"][0]["uri"] for key in ("model_blessing", "infra_blessing")
    )
    return [*results.read_gates(model_blessing), *read_gates(Path(infra_blessing) / CHECKS_FILE)]
