"""One line about what each node did: every component of ours words its own."""

from collections.abc import Callable
from pathlib import Path

from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.baseline_finder import figures as baseline_finder
from components.data_gate import figures as data_gate
from components.evaluator import figures as evaluator
from components.example_gen import figures as example_gen
from components.pusher import figures as pusher
from components.report import figures as report
from components.serving_gate import figures as serving_gate
from components.trainer import figures as trainer
from pipeline import node_ids

Outputs = dict[str, list]


def summarize(node_id: str, outputs: Outputs) -> str:
    """Says in a few words what a node did.

    Args:
        node_id: as in the pipeline.
        outputs: its output artifacts by key.

    Returns:
        A few words; empty for a node that has nothing to tell.
    """
    describe = _DESCRIBE.get(node_id)
    return describe(outputs) if describe else ""


def _anomalies(outputs: Outputs) -> str:
    (artifact,) = outputs["anomalies"]
    found = {
        name
        for file in Path(artifact.uri).glob("Split-*/SchemaDiff.pb")
        for name in anomalies_pb2.Anomalies.FromString(file.read_bytes()).anomaly_info
    }
    return f"anomalies in {', '.join(sorted(found))}" if found else "no anomalies"


_DESCRIBE: dict[str, Callable[[Outputs], str]] = {
    node_ids.IMAGE_EXAMPLE_GEN: example_gen.describe,
    node_ids.EXAMPLE_VALIDATOR: _anomalies,
    node_ids.DATA_GATE: data_gate.describe,
    node_ids.TRAINER: trainer.describe,
    node_ids.BASELINE_FINDER: baseline_finder.describe,
    node_ids.EVALUATOR: evaluator.describe,
    node_ids.SERVING_GATE: serving_gate.describe,
    node_ids.PUSHER: pusher.describe,
    node_ids.REPORT: report.describe,
}
