"""The DataGate's word: what its step hands on to the DataVerdict.

A step that ended as failed would lose its outputs, the rows of `gates.json` too: so the DataGate
ends well.
"""

from typing import Any

from components.gates import failed, read_gates
from components.text import one_line
from pipeline.kubeflow.package.setting_paths import BLESSED
from pipeline.kubeflow.step.executor_io import with_parameter
from pipeline.kubeflow.step.pushed import YES

_OUTPUT = "data_blessing"
_LONGEST_WORD = 2000


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
    refused = f"nothing is trained: the data failed the DataGate. {findings}"
    word = one_line(refused, _LONGEST_WORD) if gates else YES
    return with_parameter(executor_output, BLESSED, word)
