"""Executor of ImageExampleGen."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact, artifact_utils

from components import features
from components.example_gen.config import DataSettings
from components.example_gen.ingest import ingest
from components.example_gen.reading import sources
from components.example_gen.splitting.split_ledger import ledger_inputs


class Executor(base_beam_executor.BaseBeamExecutor):
    """Reads the pictures of a data source into the splits of an Examples artifact."""

    def Do(
        self,
        input_dict: dict[str, list[artifact.Artifact]],
        output_dict: dict[str, list[artifact.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See `ImageExampleGen` for the properties and what the artifact holds."""
        settings = DataSettings.model_validate_json(exec_properties["settings"])
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        # Named where this node's own folders cannot be seen by who runs it.
        shared = _shared_folder(self._beam_pipeline_args or [])
        if shared:
            Path(shared).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=shared) as workspace:
            source = sources.open_source(exec_properties["source"], workspace, settings)
            folder = exec_properties["unlabelled"]
            unlabelled = sources.list_unlabelled(folder) if folder else None
            inputs = ledger_inputs(
                exec_properties["input_fingerprint"], exec_properties["settings"]
            )
            staging = f"{workspace}/staging" if shared else None
            ingest(
                source,
                settings,
                examples.uri,
                self._make_beam_pipeline,
                unlabelled,
                inputs,
                staging,
            )
        splits = [*features.SPLITS, *([features.UNLABELLED] if unlabelled else [])]
        examples.split_names = artifact_utils.encode_split_names(splits)


def _shared_folder(beam_args: Sequence[str]) -> str | None:
    """The folder that this node and Beam's workers both see, of Beam's option `temp_location`."""
    flag = "--temp_location="
    given = [option.removeprefix(flag) for option in beam_args if option.startswith(flag)]
    return given[-1] if given else None
