"""What the DataGate has to tell in a few words, for the line that it ends with."""

from components.gates import failed, read_gates


def describe(outputs: dict[str, list]) -> str:
    """How many checks passed, and the names of those that failed.

    Args:
        outputs: the node's output artifacts by key.
    """
    checks = read_gates(outputs["data_blessing"][0].uri)
    passed = sum(check.verdict == "pass" for check in checks)
    names = ", ".join(check.name for check in failed(checks))
    return f"{passed} of {len(checks)} checks passed" + (f"; failed: {names}" if names else "")
