"""What the ServingGate has to tell in a few words, for the line that it ends with."""

from components.gates import read_gates


def describe(outputs: dict[str, list]) -> str:
    """How many checks passed.

    Args:
        outputs: the node's output artifacts by key.
    """
    checks = read_gates(outputs["infra_blessing"][0].uri)
    passed = sum(check.verdict == "pass" for check in checks)
    return f"{passed} of {len(checks)} checks passed"
