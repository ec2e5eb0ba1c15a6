"""What a served version has left to be judged by."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from components import destinations
from components.errors import UserError
from components.features import CALIBRATION_FILE
from components.gates import GATES_FILE, Gate, read_gates
from components.served_versions import PROVENANCE_FILE, PushRecord

_JSON_FILES = (PROVENANCE_FILE, CALIBRATION_FILE)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What is known of a version.

    Attributes:
        record: of its push; None for versions of earlier releases.
        provenance: see `pipeline.provenance`; empty where nothing is known.
        gates: the rows that let it through; empty where they are not known.
        calibration: content of `calibration.json`, see `components.trainer.calibration`; empty
            where the model does not say how sure it is.
    """

    record: PushRecord | None
    provenance: dict[str, Any]
    gates: list[Gate]
    calibration: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The same as data; gates by their names."""
        gates = {gate.name: gate.as_row() for gate in self.gates}
        digest = self.record.digest if self.record else None
        known = {"digest": digest, "provenance": self.provenance, "gates": gates}
        return known | ({"calibration": self.calibration} if self.calibration else {})


def read_evidence(destination: Path | str, version: str) -> Evidence:
    """Reads the evidence of a version; what earlier releases did not leave is empty.

    Raises:
        UserError: a file is damaged; the text names it.
    """
    record = destinations.read_push_record(destination, version)
    with destinations.open_evidence(destination, version, (*_JSON_FILES, GATES_FILE)) as folder:
        found, gates = _read(folder, version)
    return Evidence(record, found[PROVENANCE_FILE], gates, found[CALIBRATION_FILE])


def _read(folder: Path, version: str) -> tuple[dict[str, Any], list[Gate]]:
    """The JSON files by name, and the gates."""
    found, gates = {}, []
    try:
        for name in _JSON_FILES:
            file = folder / name
            found[name] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        file = folder / GATES_FILE
        if file.exists():
            gates = read_gates(folder)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{file} is damaged: what version {version} left is not known") from error
    return found, gates
