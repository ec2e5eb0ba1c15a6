"""What the ServingGate has to tell in a few words, for the line that it ends with."""

from pathlib import Path

from components.gates import read_gates
from components.serving_gate.executor import CHECKS_FILE


def describe(outputs: dict[str, list]) -> str:
    """How many checks passed.

    Args:
        outputs: the node's output artifacts by key.
    """
    checks = read_gates(Path(outputs["infra_blessing"][0].uri) / CHECKS_FILE)
    return f"{sum(check.passed for check in checks)} of {len(checks)} checks passed"
