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


def row(gate):
    return gate.verdict, gate.value, gate.bound, gate.message


def test_none_pass(anomalies):
    gate = check_anomalies(anomalies(train={}, test={}))
    assert row(gate) == ("pass", 0, 0, "2 splits are as the schema says")


def test_an_error_stops_the_run(anomalies):
    unknown = "Examples contain values missing from the schema: bird (~2%)."
    folder = anomalies(train={}, test={"label": ("ERROR", unknown), "width": ("WARNING", "odd")})
    assert row(check_anomalies(folder)) == (
        *("fail", 1, 0),
        "label (test): Examples contain values missing from the schema: bird (~2%): mend the data, "
        "or the schema if that is wrong",
    )


def test_a_warning_does_not(anomalies):
    gate = check_anomalies(anomalies(train={"width": ("WARNING", "odd")}))
    assert row(gate) == ("warn", 0, 0, "width (train): odd")


def test_an_anomaly_of_the_whole_is_one_too(anomalies):
    found = {"": ("ERROR", "too few examples"), "width": ("WARNING", "odd")}
    gate = check_anomalies(anomalies(train=found, test={"": ("WARNING", "few examples")}))
    assert (gate.verdict, gate.value) == ("fail", 1)
    assert gate.message.startswith("the data (train): too few examples: mend")


def test_what_is_odd_about_the_whole_is_told_before_what_is_odd_about_its_parts(anomalies):
    found = {"width": ("WARNING", "odd"), "": ("WARNING", "few examples")}
    gate = check_anomalies(anomalies(train=found))
    assert row(gate) == ("warn", 0, 0, "the data (train): few examples; width (train): odd")


def test_a_text_of_the_data_is_one_short_printable_line(anomalies):
    gate = check_anomalies(anomalies(train={"n" * 99: ("WARNING", "\x1b[2J\n" + "x" * 1000)}))
    assert gate.message == f"{'n' * 38} … (train): \\x1b[2J {'x' * 110} …"


def test_the_splits_and_what_is_found_in_each_are_told_by_name(anomalies):
    folder = anomalies(
        **{name: {"width": ("WARNING", "odd")} for name in "fbda"},
        **{name: dict.fromkeys("zywx", ("WARNING", "odd")) for name in "e"},
    )
    gate = check_anomalies(folder)
    assert gate.message == "width (a): odd; width (b): odd; width (d): odd; and 5 more"
    for name in "abd":
        (folder / f"Split-{name}" / "SchemaDiff.pb").unlink()
    assert check_anomalies(folder).message == "w (e): odd; x (e): odd; y (e): odd; and 2 more"


def test_an_anomaly_without_a_description_is_told_by_its_short_one(tmp_path):
    proto = anomalies_pb2.Anomalies()
    proto.anomaly_info["label"].short_description = "unexpected values"
    (tmp_path / "Split-train").mkdir()
    (tmp_path / "Split-train" / "SchemaDiff.pb").write_bytes(proto.SerializeToString())
    assert "label (train): unexpected values" in check_anomalies(tmp_path).message


def test_what_was_not_validated_does_not_pass(tmp_path, anomalies):
    says = f"no split in {tmp_path} was held to the schema"
    assert row(check_anomalies(tmp_path)) == ("fail", None, 0, says)
    folder = anomalies(train={})
    (folder / "Split-train" / "SchemaDiff.pb").write_bytes(b"\xff\xff")
    says = f"{tmp_path} is damaged: a SchemaDiff.pb cannot be read"
    assert row(check_anomalies(folder)) == ("fail", None, 0, says)
