"""What ExampleValidator found, by severity."""

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.data_gate.wording import listed
from components.gates import Gate
from components.text import one_line

_NAME = "anomalies"
_DIFF = "SchemaDiff.pb"
_ERROR = anomalies_pb2.AnomalyInfo.ERROR


def check_anomalies(folder: Path) -> Gate:
    """An anomaly that is an error stops the run, any other is a warning.

    Args:
        folder: of ExampleValidator's `anomalies`, with a `Split-<name>` for each split.
    """
    files = sorted(folder.glob(f"Split-*/{_DIFF}"))
    if not files:
        return Gate(_NAME, "fail", None, 0, f"no split in {folder} was held to the schema")
    try:
        found = [anomaly for file in files for anomaly in _anomalies(file)]
    except DecodeError:
        return Gate(_NAME, "fail", None, 0, f"{folder} is damaged: a {_DIFF} cannot be read")
    errors = [text for is_error, text in found if is_error]
    if errors:
        message = f"{listed(errors)}: mend the data, or the schema if that is wrong"
        return Gate(_NAME, "fail", len(errors), 0, message)
    if found:
        return Gate(_NAME, "warn", 0, 0, listed([text for _, text in found]))
    return Gate(_NAME, "pass", 0, 0, f"{len(files)} splits are as the schema says")


def _anomalies(file: Path) -> Iterator[tuple[bool, str]]:
    """Whether each anomaly of a split is an error, and what it is."""
    split = file.parent.name.removeprefix("Split-")
    anomalies = anomalies_pb2.Anomalies.FromString(file.read_bytes())
    if anomalies.HasField("dataset_anomaly_info"):
        info = anomalies.dataset_anomaly_info
        yield info.severity == _ERROR, _text("the data", split, info)
    for name, info in sorted(anomalies.anomaly_info.items()):
        yield info.severity == _ERROR, _text(name, split, info)


def _text(name: str, split: str, info: anomalies_pb2.AnomalyInfo) -> str:
    said = info.description or info.short_description
    return f"{one_line(name, 40)} ({split}): {one_line(said, 120).rstrip('.')}"
