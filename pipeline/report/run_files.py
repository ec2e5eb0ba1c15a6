"""What a run left on this machine, read when a section asks for it.

Each property raises a UserError that says what is missing or damaged; the section that needs it is
then left out.
"""

import base64
import dataclasses
import functools
import json
import logging
from collections.abc import Sequence
from datetime import timezone
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from components import destinations, features
from components.data_gate.pictures import read_pictures
from components.errors import UserError
from components.evaluator.results import CHANGES_FILE
from components.evaluator.thumbnails import THUMBNAILS_FILE, Thumbnail, read_thumbnails
from components.gates import GATES_FILE, Gate, read_gates
from components.predictions import PREDICTIONS_FILE, Predictions, read_predictions
from components.served_versions import Version
from components.text import one_line
from components.trainer.training_report import TRAINING_FILE, VIEWS_FILE, TrainingReport
from pipeline import node_ids
from pipeline.config import Recipe
from pipeline.evidence import read_evidence
from pipeline.node_ids import BLESSINGS
from pipeline.run_history import NodeRecord, RunRecord
from pipeline.shell_lines import shell_line


@dataclasses.dataclass(frozen=True)
class RunFiles:
    """A run and its files.

    Attributes:
        run: what ML Metadata knows of it.
        recipe: as it is now.
        config: the recipe as its user names it.
        overrides: `key=value`, as its user gives them.
    """

    run: RunRecord
    recipe: Recipe
    config: str
    overrides: Sequence[str] = ()

    _gone: ClassVar = "has been removed since (graft runs prune)"

    def command(self, *words: str) -> str:
        """A command of Graft about this recipe, as one types it into a shell."""
        return self.recipe_command(*words, "--recipe")

    def recipe_command(self, *words: str) -> str:
        """The same of a command whose argument is the recipe."""
        return shell_line(*words, self.config, overrides=self.overrides)

    @functools.cached_property
    def gates(self) -> list[Gate]:
        """The rows of the nodes that judged; empty where none did."""
        try:
            return self.run.gates()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"the gates' rows are damaged: {one_line(error, 100)}") from error

    @property
    def data_gates(self) -> list[Gate]:
        """The DataGate's rows; empty where it was not asked."""
        folder = self.run.artifacts.get((node_ids.DATA_GATE, BLESSINGS[node_ids.DATA_GATE]))
        return read_gates(folder) if folder and (folder / GATES_FILE).exists() else []

    @functools.cached_property
    def nodes(self) -> list[NodeRecord]:
        """What the nodes did."""
        if not self.run.nodes:
            raise UserError("no step knows how long the others took; Kubeflow's own page does")
        return self.run.nodes

    @functools.cached_property
    def served(self) -> list[str]:
        """What is served now, after what was served before: `version 7` and more; at most two."""
        versions = destinations.list_versions(self.recipe.push_destination)
        return [f"version {one.name}{_when(one)}" for one in versions[-2:]]

    @functools.cached_property
    def can_go_back(self) -> bool:
        """Whether a rollback that is not told where to has somewhere to go."""
        return destinations.version_before(self.recipe.push_destination) is not None

    @property
    def commands(self) -> list[str]:
        """What to type to look closer, to check and to go back."""
        about_run = [("runs", "show", self.run.name), ("report", self.run.name)]
        return [self.command(*words) for words in (*self._about_version, *about_run)]

    @property
    def _about_version(self) -> list[tuple[str, ...]]:
        words = [("verify",), ("versions", "show"), ("reproduce",)] if self.run.version else []
        return [(*one, self.run.version) for one in words]

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the model that the run pushed; empty where it is not known."""
        if not self.run.version:
            return ""
        record = destinations.read_push_record(self.recipe.push_destination, self.run.version)
        return record.digest if record else ""

    @functools.cached_property
    def predictions(self) -> Predictions:
        """The answers of the model, and of the served one."""
        return read_predictions(
            self._file(node_ids.EVALUATOR, "evaluation", PREDICTIONS_FILE).parent
        )

    @functools.cached_property
    def changes(self) -> list[dict[str, str]]:
        """The pictures that got better or worse, see `components.evaluator.paired.Change`."""
        if self.predictions.served is None:
            raise UserError("no model was served: nothing to compare with")
        return _read_lines(self._file(node_ids.EVALUATOR, "evaluation", CHANGES_FILE))

    @property
    def thumbnails(self) -> dict[str, str]:
        """`data:` URIs by `image_id`; empty where the Evaluator of an earlier release left none."""
        return self._thumbnails[0]

    @property
    def heat_maps(self) -> dict[str, str]:
        """The same of those that show where the network looked; of many networks there are none."""
        return self._thumbnails[1]

    @functools.cached_property
    def _thumbnails(self) -> tuple[dict[str, str], dict[str, str]]:
        try:
            path = self._file(node_ids.EVALUATOR, "evaluation", THUMBNAILS_FILE)
            plain, heat = read_thumbnails(path.parent)
        except UserError as error:
            logging.warning("No pictures: %s", error)
            return {}, {}
        return _as_uris(plain), _as_uris(heat)

    @functools.cached_property
    def training(self) -> TrainingReport:
        """The phases of the training."""
        path = self._file(node_ids.TRAINER, "model_run", TRAINING_FILE)
        try:
            return TrainingReport.from_json(path.read_text(encoding="utf-8"))
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path} is damaged: {one_line(error, 100)}") from error

    @functools.cached_property
    def views(self) -> str:
        """A training picture and its augmented views, as a `data:` URI; empty without any."""
        try:
            path = self._file(node_ids.TRAINER, "model_run", VIEWS_FILE)
        except UserError:  # no augmentation
            return ""
        return _as_uri("image/jpeg", path.read_bytes())

    @functools.cached_property
    def pictures(self) -> pd.DataFrame:
        """A row per picture of all splits."""
        return read_pictures(self._of_examples(features.PICTURES_FILE).parent)

    @functools.cached_property
    def data_summary(self) -> dict[str, Any]:
        """`summary.json` of the examples."""
        path = self._of_examples(features.SUMMARY_FILE)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{path} is damaged: {one_line(error, 100)}") from error

    @functools.cached_property
    def quarantine(self) -> list[dict[str, str]]:
        """`path` and `reason` of each file that was set aside."""
        return _read_lines(self._of_examples(features.QUARANTINE_FILE))

    @functools.cached_property
    def provenance(self) -> dict[str, Any]:
        """What the version was made of; empty where the run pushed none."""
        if not self.run.version:
            return {}
        return read_evidence(self.recipe.push_destination, self.run.version).provenance

    def _of_examples(self, name: str) -> Path:
        return self._file(node_ids.IMAGE_EXAMPLE_GEN, "examples", name)

    def _file(self, node_id: str, key: str, name: str) -> Path:
        folder = self.run.artifacts.get((node_id, key))
        if folder is None:
            raise UserError(f"the run did not get to the end of {node_id}")
        if not folder.is_dir():
            raise UserError(f"what {node_id} left {self._gone}")
        path = folder / name
        if not path.is_file():
            raise UserError(f"{node_id} left no {name}")
        return path


def _as_uris(thumbnails: dict[str, Thumbnail]) -> dict[str, str]:
    return {image_id: _as_uri(media, data) for image_id, (media, data) in thumbnails.items()}


def _as_uri(media: str, data: bytes) -> str:
    return f"data:{media};base64,{base64.b64encode(data).decode()}"


def _when(version: Version) -> str:
    if version.pushed_at is None:
        return ""
    return f", pushed {version.pushed_at.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def _read_lines(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except ValueError as error:
        raise UserError(f"{path} is damaged: {one_line(error, 100)}") from error
