"""Executor of the DataGate."""

import logging
import shutil
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils

from components.data_gate.checks import check_data
from components.data_gate.config import DataGateSettings
from components.data_gate.evidence import Served, read_evidence, write_evidence
from components.data_gate.pictures import read_pictures
from components.errors import UserError
from components.features import OVERVIEW_FILES
from components.gates import Gate, failed, write_gates
from components.served_versions import EVIDENCE


class Executor(base_executor.BaseExecutor):
    """Turns what is known of the data into a blessing."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Blesses the data if no check failed. A check that fails does not raise.

        `data_blessing` gets the custom property `blessed` (1 or 0), `gates.json` with a row per
        check, in `evidence/` what is to stay with a model that these data made, and the overview of
        the examples, for whoever tells of the data without the pictures.
        """
        blessing = artifact_utils.get_single_instance(output_dict["data_blessing"])
        examples, statistics, anomalies = (
            Path(artifact_utils.get_single_uri(input_dict[key]))
            for key in ("examples", "statistics", "anomalies")
        )
        settings = DataGateSettings.model_validate_json(exec_properties["settings"])
        try:
            pictures = read_pictures(examples)
        except UserError as error:
            gates = [Gate("pictures", "fail", None, None, str(error))]
        else:
            served = _served(artifact_utils.get_single_instance(input_dict["baseline"]))
            gates = check_data(examples, anomalies, pictures, served, settings)
            write_evidence(Path(blessing.uri, EVIDENCE), examples, statistics, pictures)
        for name in OVERVIEW_FILES:
            if (examples / name).exists():
                shutil.copyfile(examples / name, Path(blessing.uri, name))
        write_gates(blessing.uri, gates)
        blessing.set_int_custom_property("blessed", int(not failed(gates)))
        for gate in gates:
            log = logging.info if gate.verdict == "pass" else logging.warning
            log("%s: %s", gate.name, gate.message)


def _served(baseline: Artifact) -> Served | str:
    """The data of the served model, or why there are none to compare with."""
    if not baseline.get_int_custom_property("has_baseline"):
        return "no served model"
    version = baseline.get_string_custom_property("version")
    try:
        return read_evidence(Path(baseline.uri, EVIDENCE), version)
    except UserError as error:
        return str(error)
