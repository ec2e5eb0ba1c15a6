"""The main result of each node in a few words, for the line that it ends with."""

import json
import pathlib
from collections.abc import Callable

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.types import Artifact

from components.evaluator import results
from components.example_gen.summary import SUMMARY_FILE, Summary
from components.gates import read_gates
from components.serving_gate.executor import CHECKS_FILE
from components.trainer.phases import TRAINING_FILE

Outputs = dict[str, list[Artifact]]


def main_figure(node_id: str, outputs: Outputs) -> str:
    """Says what came of a node.

    Args:
        node_id: as in the pipeline.
        outputs: its output artifacts by key.

    Returns:
        A few words; empty for a node that has nothing to tell.
    """
    describe = _FIGURES.get(node_id)
    return describe(outputs) if describe else ""


def _examples(outputs: Outputs) -> str:
    text = pathlib.Path(outputs["examples"][0].uri, SUMMARY_FILE).read_text(encoding="utf-8")
    summary = Summary.from_json(text)
    counts = ", ".join(f"{sum(c.values()):,} {split}" for split, c in summary.counts.items())
    aside = f", {summary.quarantined} set aside" if summary.quarantined else ""
    text = f"{summary.total:,} pictures of {len(summary.classes)} classes ({counts}){aside}"
    if summary.unlabelled:
        text += f"; {summary.unlabelled['usable']:,} unlabelled"
        if summary.unlabelled["copies"]:
            text += f" ({summary.unlabelled['copies']:,} copies of labelled ones left out)"
    return text


def _anomalies(outputs: Outputs) -> str:
    (artifact,) = outputs["anomalies"]
    found = {
        name
        for file in pathlib.Path(artifact.uri).glob("Split-*/SchemaDiff.pb")
        for name in anomalies_pb2.Anomalies.FromString(file.read_bytes()).anomaly_info
    }
    return f"anomalies in {', '.join(sorted(found))}" if found else "no anomalies"


def _training(outputs: Outputs) -> str:
    text = pathlib.Path(outputs["model_run"][0].uri, TRAINING_FILE).read_text(encoding="utf-8")
    training = json.loads(text)
    phases = ", ".join(f"{p['name']} {p['val_accuracy']:.4f}" for p in training["phases"])
    text = f"validation accuracy: {phases}; kept: {training['kept']}"
    if labels := training["pseudo_labels"]:
        taken = ", ".join(f"{number:,} {name}" for name, number in labels["taken"].items())
        text += f"; labelled itself: {taken} of {labels['unlabelled']:,}"
    return text


def _baseline(outputs: Outputs) -> str:
    version = outputs["baseline"][0].get_string_custom_property("version")
    return f"served now: {version}" if version else "nothing is served yet"


def _evaluation(outputs: Outputs) -> str:
    metrics = results.read_metrics(outputs["evaluation"][0].uri).overall
    return f"test accuracy {metrics['accuracy']:.4f}"


def _serving(outputs: Outputs) -> str:
    checks = read_gates(pathlib.Path(outputs["infra_blessing"][0].uri) / CHECKS_FILE)
    return f"{sum(check.passed for check in checks)} of {len(checks)} checks passed"


def _pushed(outputs: Outputs) -> str:
    (artifact,) = outputs["pushed_model"]
    version = artifact.get_string_custom_property("pushed_version")
    if version:
        return f"version {version}"
    served_as = artifact.get_string_custom_property("already_served")
    return f"served already: {served_as}" if served_as else "not pushed"


_FIGURES: dict[str, Callable[[Outputs], str]] = {
    "ImageExampleGen": _examples,
    "ExampleValidator": _anomalies,
    "Trainer": _training,
    "BaselineFinder": _baseline,
    "Evaluator": _evaluation,
    "ServingGate": _serving,
    "Pusher": _pushed,
}
