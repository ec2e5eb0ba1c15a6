"""Executor of the Report."""

import html
import importlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils

from components.files import write_atomically
from components.report.page_files import FACTS_FILE, PAGE_FILE
from components.text import one_line

# Custom properties of the Pusher's output.
_TOLD = ("pushed_version", "pushed_destination", "already_served", "compared_version", "digest")

_MISSING_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>No report</title>'
    "<h1>No report</h1><p>The page could not be made: {reason}. The run is not affected; the log "
    "of the step Report has the details.</p></html>"
)


class Make(Protocol):
    """What makes the page and the facts that it tells."""

    def __call__(
        self, inputs: Mapping[str, Path], pushed: Mapping[str, str], provenance: str
    ) -> tuple[str, str]:
        """Makes them.

        Args:
            inputs: folders of the node's input artifacts, by key.
            pushed: custom properties of the Pusher's output; those without a value are empty.
            provenance: JSON: where the model comes from.

        Returns:
            The page, HTML, and its facts, JSON.
        """


class Executor(base_executor.BaseExecutor):
    """Has the page made. What goes wrong in that is a warning and a page that says so."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Leaves `report.html` and `facts.json` in the output `report`."""
        folder = Path(artifact_utils.get_single_uri(output_dict["report"]))
        try:
            module, _, name = exec_properties["make"].rpartition(".")
            make: Make = getattr(importlib.import_module(module), name)
            inputs = {
                key: Path(artifact_utils.get_single_uri(value)) for key, value in input_dict.items()
            }
            pushed = artifact_utils.get_single_instance(input_dict["pushed_model"])
            page, facts = make(inputs, _told(pushed), exec_properties["provenance"])
        except Exception as error:  # a run is not stopped by what only tells of it
            logging.exception("No report")
            reason = html.escape(one_line(f"{type(error).__name__}: {error}"))
            page, facts = _MISSING_PAGE.format(reason=reason), "{}"
        write_atomically(folder / PAGE_FILE, page)
        write_atomically(folder / FACTS_FILE, facts)


def _told(pushed: Artifact) -> dict[str, str]:
    return {name: pushed.get_string_custom_property(name) for name in _TOLD}
