"""The DataGate's word: what its step hands on, and what the Trainer's step obeys.

A step that ended as failed would lose its outputs, the rows of `gates.json` too: so the DataGate
ends well, and the Trainer does not begin.
"""

from typing import Any

from components.errors import UserError
from components.gates import failed, read_gates
from components.text import one_line
from pipeline.kubeflow.package.setting_paths import BLESSED

_OUTPUT = "data_blessing"
_YES = "yes"
_LONGEST_WORD = 2000


def obey(parameter_values: dict[str, Any]) -> dict[str, Any]:
    """Takes the DataGate's word out of a step's parameters.

    Args:
        parameter_values: of any step; only the Trainer has been given the word.

    Returns:
        The others.

    Raises:
        UserError: it is a no; the text is the DataGate's.
    """
    values = dict(parameter_values)
    word = values.pop(BLESSED, _YES)
    if word != _YES:
        raise UserError(f"nothing is trained: the data failed the DataGate. {word}")
    return values


def hand_on(executor_output: dict[str, Any], executor_input: dict[str, Any]) -> dict[str, Any]:
    """Adds the word to what the DataGate's step leaves; that of other steps is as it was.

    Args:
        executor_output: of the step.
        executor_input: of the step, with local paths.
    """
    outputs = executor_input["outputs"]["artifacts"]
    if _OUTPUT not in outputs:
        return executor_output
    gates = failed(read_gates(outputs[_OUTPUT]["artifacts"][0]["uri"]))
    findings = "; ".join(f"{gate.name}: {gate.message}" for gate in gates)
    word = one_line(findings, _LONGEST_WORD) or _YES
    values = executor_output.get("parameterValues", {})
    return {**executor_output, "parameterValues": {**values, BLESSED: word}}
