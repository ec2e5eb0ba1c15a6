"""The main result of each node in a few words, for the line that it ends with."""

from collections.abc import Callable
from pathlib import Path

from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.baseline_finder import figures as baseline_finder
from components.evaluator import figures as evaluator
from components.example_gen import figures as example_gen
from components.pusher import figures as pusher
from components.serving_gate import figures as serving_gate
from components.trainer import figures as trainer

Outputs = dict[str, list]


def main_figure(node_id: str, outputs: Outputs) -> str:
    """Says what came of a node.

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
    "ImageExampleGen": example_gen.describe,
    "ExampleValidator": _anomalies,
    "Trainer": trainer.describe,
    "BaselineFinder": baseline_finder.describe,
    "Evaluator": evaluator.describe,
    "ServingGate": serving_gate.describe,
    "Pusher": pusher.describe,
}
