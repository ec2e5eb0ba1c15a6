"""Executor of the BaselineFinder."""

import logging
import shutil
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import path_utils

from components import served_versions


class Executor(base_executor.BaseExecutor):
    """Copies the served model into the output artifact, so that the run keeps what it saw."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fills `baseline`: the SavedModel under `Format-Serving`, as a Trainer leaves it.

        Its custom properties say what was found: `has_baseline` 1 and the `version`, or
        `has_baseline` 0.

        Raises:
            UserError: the destination's `champion` file names a version that is not there, or
                nothing can be written to the destination: better told now than after training.
        """
        baseline = artifact_utils.get_single_instance(output_dict["baseline"])
        destination = exec_properties["push_destination"]
        served_versions.check_writable(destination)
        champion = served_versions.champion(destination)
        baseline.set_int_custom_property("has_baseline", int(champion is not None))
        if champion is None:
            logging.warning("No model is served at %s: there is no baseline", destination)
            return
        baseline.set_string_custom_property("version", champion.name)
        shutil.copytree(champion.path, path_utils.serving_model_dir(baseline.uri))
        logging.info("Baseline: version %s at %s", champion.name, destination)
