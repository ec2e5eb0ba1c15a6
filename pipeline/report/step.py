"""The page of a run on a cluster, made there by the node Report.

It has what the other nodes handed on, and nothing else: neither ML Metadata nor the folder of the
served versions.
"""

import dataclasses
import functools
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from components import features
from components.data_gate.pictures import read_pictures
from components.served_versions import EVIDENCE, PROVENANCE_FILE
from pipeline import node_ids
from pipeline.config import Recipe, recipe_names
from pipeline.report import page
from pipeline.report.run_files import RunFiles
from pipeline.run_history import RunRecord

# Producer and output by the key of the node's input.
_INPUTS = {
    "data_blessing": (node_ids.DATA_GATE, "data_blessing"),
    "model_run": (node_ids.TRAINER, "model_run"),
    "evaluation": (node_ids.EVALUATOR, "evaluation"),
    "model_blessing": (node_ids.EVALUATOR, "blessing"),
    "infra_blessing": (node_ids.SERVING_GATE, "infra_blessing"),
    "pushed_model": (node_ids.PUSHER, "pushed_model"),
}


def make_report(
    inputs: Mapping[str, Path], pushed: Mapping[str, str], provenance: str
) -> tuple[str, str]:
    """Makes page and facts, see `components.report.executor.Make`."""
    now = datetime.now(timezone.utc)
    version = pushed["pushed_version"] or pushed["already_served"]
    artifacts = {_INPUTS[key]: folder for key, folder in inputs.items()}
    # How steps run tells nothing of a model, and its paths are checked for a machine that compiles.
    settings = {**json.loads(provenance)["recipe"], "kubeflow": {}}
    recipe = Recipe.model_validate(settings)
    destination = pushed["pushed_destination"]
    # An address is never a Path, which would take one slash off it.
    overrides = [f"push.destination={destination.rpartition('/')[0]}"] if destination else []
    files = StepFiles(
        RunRecord(f"{now:%Y-%m-%dT%H:%M:%S} UTC", now, [], artifacts, version),
        recipe,
        # What the file of a recipe of one's own was called, nobody has said here.
        recipe.name if recipe.name in recipe_names() else f"{recipe.name}.yaml",
        overrides,
        pushed,
    )
    return page.make_page(files), page.as_json(files)


@dataclasses.dataclass(frozen=True)
class StepFiles(RunFiles):
    """A run as the node Report sees it.

    Attributes:
        pushed: custom properties of the Pusher's output.
    """

    pushed: Mapping[str, str] = dataclasses.field(default_factory=dict)

    _gone: ClassVar = "did not come to this step"

    @functools.cached_property
    def served(self) -> list[str]:
        """What the Pusher says of it."""
        versions = (self.pushed["compared_version"], self.pushed["pushed_version"])
        return [f"version {version}" for version in versions if version]

    @property
    def can_go_back(self) -> bool:
        """As far as the Pusher says."""
        return len(self.served) > 1

    @property
    def commands(self) -> list[str]:
        """Those about the version, where the folder of the served versions is at hand."""
        return [self.command(*words) for words in self._about_version]

    @functools.cached_property
    def digest(self) -> str:
        """The Pusher says it, also of a model that it did not push."""
        return self.pushed["digest"]

    @functools.cached_property
    def pictures(self) -> pd.DataFrame:
        """A row per picture of all splits, from the DataGate's evidence."""
        name = f"{EVIDENCE}/{features.PICTURES_FILE}"
        return read_pictures(self._of_examples(name).parent)

    @functools.cached_property
    def provenance(self) -> dict[str, Any]:
        """What the version was made of; empty where the run pushed none."""
        folder = self.run.artifacts[_INPUTS["pushed_model"]]
        file = folder / EVIDENCE / PROVENANCE_FILE
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def _of_examples(self, name: str) -> Path:
        return self._file(*_INPUTS["data_blessing"], name)
