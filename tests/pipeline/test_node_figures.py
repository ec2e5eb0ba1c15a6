"""The line about a node is the one that its component words."""

from types import SimpleNamespace

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from pipeline import node_figures, node_ids


@pytest.mark.parametrize(
    ("node_id", "component"),
    [
        (node_ids.IMAGE_EXAMPLE_GEN, "example_gen"),
        (node_ids.DATA_GATE, "data_gate"),
        (node_ids.TRAINER, "trainer"),
        (node_ids.BASELINE_FINDER, "baseline_finder"),
        (node_ids.EVALUATOR, "evaluator"),
        (node_ids.SERVING_GATE, "serving_gate"),
        (node_ids.PUSHER, "pusher"),
        (node_ids.REPORT, "report"),
    ],
)
def test_every_component_words_its_own(node_id, component):
    describe = node_figures._DESCRIBE[node_id]
    assert describe.__module__ == f"components.{component}.figures"


def test_anomalies_of_every_split_are_told_once_by_name(tmp_path):
    outputs = {"anomalies": [SimpleNamespace(uri=str(tmp_path))]}
    assert node_figures.summarize(node_ids.EXAMPLE_VALIDATOR, outputs) == "no anomalies"
    for split, names in {"train": ["width"], "test": ["width", "label"], "validation": []}.items():
        folder = tmp_path / f"Split-{split}"
        folder.mkdir()
        found = anomalies_pb2.Anomalies()
        for name in names:
            found.anomaly_info[name].description = "odd"
        (folder / "SchemaDiff.pb").write_bytes(found.SerializeToString())
    said = node_figures.summarize(node_ids.EXAMPLE_VALIDATOR, outputs)
    assert said == "anomalies in label, width"


def test_a_node_that_has_nothing_to_tell_tells_nothing():
    assert node_figures.summarize(node_ids.IMPORT_SCHEMA_GEN, {}) == ""
