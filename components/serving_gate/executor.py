"""Executor of the ServingGate."""

import dataclasses
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import path_utils

from components import features
from components.gates import failed, write_gates, write_marker
from components.serving_gate import process
from components.serving_gate.config import ServingGateSettings
from components.text import printable

# As ImageExampleGen calls the files that it keeps.
_ORIGINAL = re.compile(r"\b\d+-([0-9a-f]{64})\.\w+")


class Executor(base_executor.BaseExecutor):
    """Runs the client in a process of its own and turns its answers into a blessing."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Blesses the model if every check passed. A check that fails does not raise.

        `infra_blessing` gets the custom property `blessed` (1 or 0), the marker file
        `INFRA_BLESSED` or `INFRA_NOT_BLESSED`, and `gates.json` with a row per check.
        """
        blessing = artifact_utils.get_single_instance(output_dict["infra_blessing"])
        uri = artifact_utils.get_single_uri(input_dict["examples"])
        checks = process.ask(request_of(input_dict, exec_properties))
        checks = [
            dataclasses.replace(check, message=_with_path(check.message, uri)) for check in checks
        ]
        write_gates(blessing.uri, checks)
        blessed = not failed(checks)
        # Property and file names of the stock InfraValidator, on which the Pusher relies.
        blessing.set_int_custom_property("blessed", int(blessed))
        write_marker(blessing.uri, blessed, ("INFRA_NOT_BLESSED", "INFRA_BLESSED"))
        for check in checks:
            log = logging.info if check.verdict == "pass" else logging.warning
            log("%s: %s", check.name, check.message)


def request_of(
    input_dict: Mapping[str, list[Artifact]], exec_properties: Mapping[str, Any]
) -> process.Request:
    """What the node asks, from what it is given."""
    examples = input_dict["examples"]
    return process.Request(
        model=path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict["model"])),
        examples=artifact_utils.get_split_uri(examples, exec_properties["split"]),
        originals=os.path.join(artifact_utils.get_single_uri(examples), features.ORIGINALS),
        settings=ServingGateSettings.model_validate_json(exec_properties["settings"]),
    )


def _with_path(message: str, examples: str) -> str:
    """Names an original file as its source does, if the table of pictures is at hand."""
    named = _ORIGINAL.search(message)
    table = Path(examples, features.PICTURES_FILE)
    if not named or not table.exists():
        return message
    rows = pq.read_table(
        table, columns=[features.PATH], filters=[(features.IMAGE_ID, "==", named[1])]
    )
    paths = rows[features.PATH].to_pylist()
    return message.replace(named[0], printable(paths[0])) if paths else message
