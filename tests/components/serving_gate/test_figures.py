"""The line that the ServingGate ends with."""

from types import SimpleNamespace

from components.gates import Gate, write_gates
from components.serving_gate import figures


def test_how_many_checks_passed(tmp_path):
    verdicts = ("pass", "warn", "fail", "pass")
    write_gates(tmp_path, [Gate(verdict, verdict, None, None, "") for verdict in verdicts])
    outputs = {"infra_blessing": [SimpleNamespace(uri=tmp_path)]}
    assert figures.describe(outputs) == "2 of 4 checks passed"
