"""What ExampleValidator found, as a row."""

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.data_gate.anomalies import check_anomalies

INFO = anomalies_pb2.AnomalyInfo


@pytest.fixture
def anomalies(tmp_path):
    """`anomalies(test={"label": ("ERROR", "a text")})` writes them; gives the folder."""

    def write(**splits):
        for split, found in splits.items():
            proto = anomalies_pb2.Anomalies()
            for name, (severity, text) in found.items():
                info = proto.anomaly_info[name] if name else proto.dataset_anomaly_info
                info.severity = INFO.Severity.Value(severity)
                info.description = text
            folder = tmp_path / f"Split-{split}"
            folder.mkdir()
            (folder / "SchemaDiff.pb").write_bytes(proto.SerializeToString())
        return tmp_path

    return write


def test_none_pass(anomalies):
    gate = check_anomalies(anomalies(train={}, test={}))
    assert (gate.verdict, gate.message) == ("pass", "2 splits are as the schema says")


def test_an_error_stops_the_run(anomalies):
    unknown = "Examples contain values missing from the schema: bird (~2%)."
    folder = anomalies(train={}, test={"label": ("ERROR", unknown), "width": ("WARNING", "odd")})
    gate = check_anomalies(folder)
    assert (gate.verdict, gate.value, gate.bound) == ("fail", 1, 0)
    assert gate.message == (
        "label (test): Examples contain values missing from the schema: bird (~2%): mend the data, "
        "or the schema if that is wrong"
    )


def test_a_warning_does_not(anomalies):
    gate = check_anomalies(anomalies(train={"width": ("WARNING", "odd")}))
    assert (gate.verdict, gate.message) == ("warn", "width (train): odd")


def test_an_anomaly_of_the_whole_is_one_too(anomalies):
    gate = check_anomalies(anomalies(train={"": ("ERROR", "too few examples")}))
    assert gate.verdict == "fail" and gate.message.startswith("the data (train): too few examples")


def test_a_text_of_the_data_is_one_short_printable_line(anomalies):
    gate = check_anomalies(anomalies(train={"label": ("ERROR", "\x1b[2J\n" + "x" * 1000)}))
    assert "\n" not in gate.message and "\x1b" not in gate.message and len(gate.message) < 300


def test_what_was_not_validated_does_not_pass(tmp_path, anomalies):
    assert "held to the schema" in check_anomalies(tmp_path).message
    folder = anomalies(train={})
    (folder / "Split-train" / "SchemaDiff.pb").write_bytes(b"\xff\xff")
    gate = check_anomalies(folder)
    assert gate.verdict == "fail" and "SchemaDiff.pb cannot be read" in gate.message
