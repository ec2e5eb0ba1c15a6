"""Executor of the BaselineFinder."""

import logging
import shutil
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import path_utils

from components import destinations, served_versions
from components.baseline_finder import damage
from components.errors import UserError
from components.served_versions import Version


class Executor(base_executor.BaseExecutor):
    """Copies the served model into the output artifact, so that the run keeps what it saw."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fills `baseline`: the SavedModel under `Format-Serving`, as a Trainer leaves it.

        What the gates left when it was pushed lies under `evidence`, if there is any.

        Its custom properties say what was found: `has_baseline` 1 and the `version`, or
        `has_baseline` 0; and the `highest_version` number that there is or was, in digits. The
        Pusher replaces nothing else.

        Raises:
            UserError: the served version is damaged, or nothing can be written to the destination:
                better told now than after training. Or another version is served than when the
                pipeline was built.
        """
        baseline = artifact_utils.get_single_instance(output_dict["baseline"])
        destination = exec_properties["push_destination"]
        destinations.check_writable(destination)
        if not destinations.is_bucket(destination):
            for name in served_versions.misnamed_versions(destination):
                logging.warning("%s: servers cannot read the number %s", destination, name)
            damage.check_newest(destination)
        champion = destinations.champion(destination)
        if champion:
            self._copy(destination, champion, baseline.uri)
        expected = exec_properties["served_fingerprint"]
        if expected and destinations.fingerprint(destination) != expected:
            raise UserError(f"{destination} has changed since this run began; run again")
        highest = destinations.served_state(destination).highest
        baseline.set_string_custom_property("highest_version", str(highest))
        baseline.set_int_custom_property("has_baseline", int(champion is not None))
        if champion is None:
            logging.warning("No model is served at %s: there is no baseline", destination)
            return
        baseline.set_string_custom_property("version", champion.name)
        logging.info("Baseline: version %s at %s", champion.name, destination)

    def _copy(self, destination: str, champion: Version, uri: str) -> None:
        """Copies a version with its evidence, if the copy is what was pushed."""
        model, kept = Path(path_utils.serving_model_dir(uri)), Path(uri, served_versions.EVIDENCE)
        for folder in (model, kept):  # a retry may be given the folder of an earlier attempt
            shutil.rmtree(folder, ignore_errors=True)
        destinations.copy_model(destination, champion.name, model)
        with destinations.open_evidence(destination, champion.name) as evidence:
            if evidence.is_dir():
                shutil.copytree(evidence, kept)
        damage.check_whole(champion, model)
