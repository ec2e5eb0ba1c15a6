"""The DataGate node, driven as TFX drives it."""

import json
from pathlib import Path

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.types import Channel, standard_artifacts

from components.data_gate.checks import check_data
from components.data_gate.component import DataGate
from components.data_gate.config import DataGateSettings
from components.data_gate.evidence import Served, write_evidence
from components.data_gate.executor import Executor
from components.data_gate.figures import describe
from components.gates import read_gates

COMPARED = ["label drift", "fact drift", "test split"]
ROWS = [
    *("anomalies", "class counts", "quarantine", "contradicting labels", "leakage", "split skew"),
    *COMPARED,
]


@pytest.fixture
def node(tmp_path, examples):
    """`node(table, served=…, **settings)` runs the executor; gives the blessing.

    `served` is the table of the served model's pictures, empty for a version without evidence.
    """
    for folder in ("statistics", "anomalies/Split-train", "baseline", "blessing"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "anomalies" / "Split-train" / "SchemaDiff.pb").write_bytes(
        anomalies_pb2.Anomalies().SerializeToString()
    )

    def run(table, served=None, **settings):
        baseline = standard_artifacts.Model()
        baseline.set_int_custom_property("has_baseline", int(served is not None))
        if served is not None:
            baseline.set_string_custom_property("version", "3")
            if len(served):
                folder = examples(served, name="then")
                evidence = tmp_path / "baseline" / "evidence"
                write_evidence(evidence, folder, tmp_path / "statistics", served)
        inputs = {
            "examples": standard_artifacts.Examples(),
            "statistics": standard_artifacts.ExampleStatistics(),
            "anomalies": standard_artifacts.ExampleAnomalies(),
            "baseline": baseline,
        }
        if table is not None:
            examples(table)
        for key, artifact in inputs.items():
            artifact.uri = str(tmp_path / key)
        blessing = standard_artifacts.InfraBlessing()
        blessing.uri = str(tmp_path / "blessing")
        properties = {
            "settings": DataGateSettings(**settings).model_dump_json(),
            "code_digest": "",
        }
        Executor().Do(
            {key: [artifact] for key, artifact in inputs.items()},
            {"data_blessing": [blessing]},
            properties,
        )
        return blessing

    return run


def verdicts(blessing) -> dict[str, str]:
    return {gate.name: gate.verdict for gate in read_gates(blessing.uri)}


def test_good_data_are_blessed_and_leave_evidence(node, pictures, tmp_path):
    blessing = node(pictures(), served=pictures())
    assert verdicts(blessing) == dict.fromkeys(ROWS, "pass")
    assert blessing.get_int_custom_property("blessed") == 1
    assert {path.name for path in (tmp_path / "blessing" / "evidence").iterdir()} == {
        "pictures.parquet",
        "statistics",
        "test_split.json",
    }
    assert describe({"data_blessing": [blessing]}) == "9 of 9 checks passed"


def test_one_check_that_fails_is_enough_and_nothing_is_raised(node, pictures):
    dark = pictures(brightness=np.zeros(500))
    blessing = node(dark, served=pictures())
    assert verdicts(blessing) == {**dict.fromkeys(ROWS, "pass"), "fact drift": "fail"}
    assert blessing.get_int_custom_property("blessed") == 0
    assert describe({"data_blessing": [blessing]}) == "8 of 9 checks passed; failed: fact drift"
    assert Path(blessing.uri, "evidence", "pictures.parquet").exists(), "the page tells of it"


def test_settings_reach_the_checks(node, pictures):
    blessing = node(pictures(), served=pictures(), min_per_class={"test": 51})
    assert verdicts(blessing)["class counts"] == "fail"


@pytest.mark.parametrize(
    ("served", "message"),
    [
        (None, "no served model: not compared"),
        ((), "version 3 was pushed without evidence of its data: not compared"),
    ],
)
def test_where_nothing_can_be_compared_it_is_said_and_the_run_goes_on(
    node, pictures, served, message
):
    blessing = node(pictures(), served=served)
    found = [gate for gate in read_gates(blessing.uri) if gate.name in COMPARED]
    assert {(gate.verdict, gate.message) for gate in found} == {("warn", message)}
    assert describe({"data_blessing": [blessing]}) == "6 of 9 checks passed"
    assert blessing.get_int_custom_property("blessed") == 1


def test_damaged_evidence_does_not_stop_a_run(node, pictures, tmp_path):
    node(pictures(), served=pictures())
    (tmp_path / "baseline" / "evidence" / "pictures.parquet").write_bytes(b"PAR1")
    blessing = node(pictures(), served=())
    assert verdicts(blessing)["fact drift"] == "warn"
    (row,) = [gate for gate in read_gates(blessing.uri) if gate.name == "fact drift"]
    assert row.message.startswith("the evidence of version 3 cannot be used: ")


def test_a_damaged_table_of_pictures_stops_the_run_with_one_row(node, pictures, tmp_path):
    node(pictures())
    (tmp_path / "examples" / "pictures.parquet").write_bytes(b"PAR1")
    blessing = node(None)
    (row,) = read_gates(blessing.uri)
    assert row.verdict == "fail" and "pictures.parquet is damaged" in row.message
    assert blessing.get_int_custom_property("blessed") == 0


def test_rows_hold_plain_numbers(node, pictures):
    blessing = node(pictures(), served=pictures(seed=1))
    json.dumps([gate.value for gate in read_gates(blessing.uri)], allow_nan=False)


def test_the_node_is_named_data_gate_and_its_properties_are_strings():
    node = DataGate(
        examples=Channel(type=standard_artifacts.Examples),
        statistics=Channel(type=standard_artifacts.ExampleStatistics),
        anomalies=Channel(type=standard_artifacts.ExampleAnomalies),
        baseline=Channel(type=standard_artifacts.Model),
        settings=DataGateSettings(),
        code_digest="abc",
    )
    assert node.id == "DataGate"
    assert all(isinstance(value, str) for value in node.exec_properties.values())
    assert list(node.outputs) == ["data_blessing"]


def test_the_overview_of_the_examples_stays_with_the_blessing(node, pictures, tmp_path, examples):
    folder = examples(pictures())
    (folder / "quarantine.jsonl").write_text("{}\n")
    node(pictures())
    assert (tmp_path / "blessing" / "quarantine.jsonl").read_text() == "{}\n"
    summary = json.loads((tmp_path / "blessing" / "summary.json").read_text())
    assert summary == {"total": 500, "quarantined": 0}


def test_a_warning_does_not_keep_data_from_being_blessed_and_is_logged_as_one(
    node, pictures, caplog
):
    with caplog.at_level("INFO"):
        blessing = node(pictures(), served=pictures(seed=1))
    assert verdicts(blessing)["test split"] == "warn"
    assert blessing.get_int_custom_property("blessed") == 1
    logged = {record.getMessage(): record.levelname for record in caplog.records}
    for gate in read_gates(blessing.uri):
        level = "INFO" if gate.verdict == "pass" else "WARNING"
        assert logged[f"{gate.name}: {gate.message}"] == level


@pytest.mark.parametrize(
    ("setting", "row"),
    [
        ({"max_quarantined": 1.0}, "quarantine"),
        ({"max_contradicting": 1.0}, "contradicting labels"),
        ({"allow_leakage": True}, "leakage"),
        ({"skew": {"warn": 1.0, "fail": 1.0}}, "split skew"),
        ({"drift": {"warn": 1.0, "fail": 1.0}}, "fact drift"),
    ],
)
def test_each_setting_is_for_its_own_check(pictures, examples, tmp_path, setting, row):
    table = pictures()
    table.loc[table["split"] == "test", "width"] += 300
    table.loc[:99, "group"] = "many copies"
    served = pictures(brightness=np.zeros(500))
    folder = examples(table, quarantined=500)
    (tmp_path / "Split-train").mkdir()
    diff = anomalies_pb2.Anomalies().SerializeToString()
    (tmp_path / "Split-train" / "SchemaDiff.pb").write_bytes(diff)

    def failed(**settings):
        gates = check_data(
            folder, tmp_path, table, Served("3", served, ""), DataGateSettings(**settings)
        )
        return {gate.name for gate in gates if gate.verdict == "fail"}

    assert failed() - failed(**setting) == {row}
