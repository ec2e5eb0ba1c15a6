"""What a run left on this machine, read when a section asks for it.

Each property raises a UserError that says what is missing or damaged; the section that needs it is
then left out.
"""

import base64
import dataclasses
import functools
import json
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from components import features, served_versions
from components.data_gate.pictures import read_pictures
from components.errors import UserError
from components.evaluator.results import CHANGES_FILE
from components.evaluator.thumbnails import THUMBNAILS_FILE, read_thumbnails
from components.gates import Gate
from components.predictions import PREDICTIONS_FILE, Predictions, read_predictions
from components.served_versions import Version
from components.text import one_line
from components.trainer.training_report import TRAINING_FILE, TrainingReport
from pipeline import node_ids
from pipeline.config import Recipe
from pipeline.evidence import read_evidence
from pipeline.run_history import RunRecord

_SUMMARY_FILE, _QUARANTINE_FILE = "summary.json", "quarantine.jsonl"


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

    def command(self, *words: str) -> str:
        """A command of Graft about this recipe, as one types it into a shell."""
        return shlex.join(["graft", *words, "--recipe", self.config, *self._overrides])

    def recipe_command(self, *words: str) -> str:
        """The same of a command whose argument is the recipe."""
        return shlex.join(["graft", *words, self.config, *self._overrides])

    @property
    def _overrides(self) -> list[str]:
        return [word for override in self.overrides for word in ("--set", override)]

    @functools.cached_property
    def gates(self) -> list[Gate]:
        """The rows of the nodes that judged; empty where none did."""
        try:
            return self.run.gates()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"the gates' rows are damaged: {one_line(error, 100)}") from error

    @functools.cached_property
    def versions(self) -> list[Version]:
        """The served versions as they are now, oldest first."""
        return served_versions.list_versions(self.recipe.push_destination)

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

    @functools.cached_property
    def thumbnails(self) -> dict[str, str]:
        """`data:` URIs by `image_id`; empty where the Evaluator of an earlier release left none."""
        try:
            path = self._file(node_ids.EVALUATOR, "evaluation", THUMBNAILS_FILE)
            thumbnails = read_thumbnails(path.parent)
        except UserError as error:
            logging.warning("No pictures: %s", error)
            return {}
        return {
            image_id: f"data:{media};base64,{base64.b64encode(data).decode()}"
            for image_id, (media, data) in thumbnails.items()
        }

    @functools.cached_property
    def training(self) -> TrainingReport:
        """The phases of the training."""
        path = self._file(node_ids.TRAINER, "model_run", TRAINING_FILE)
        try:
            return TrainingReport.from_json(path.read_text(encoding="utf-8"))
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path} is damaged: {one_line(error, 100)}") from error

    @functools.cached_property
    def pictures(self) -> pd.DataFrame:
        """A row per picture of all splits."""
        return read_pictures(
            self._file(node_ids.IMAGE_EXAMPLE_GEN, "examples", features.PICTURES_FILE).parent
        )

    @functools.cached_property
    def data_summary(self) -> dict[str, Any]:
        """`summary.json` of the examples."""
        path = self._file(node_ids.IMAGE_EXAMPLE_GEN, "examples", _SUMMARY_FILE)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{path} is damaged: {one_line(error, 100)}") from error

    @functools.cached_property
    def quarantine(self) -> list[dict[str, str]]:
        """`path` and `reason` of each file that was set aside."""
        return _read_lines(self._file(node_ids.IMAGE_EXAMPLE_GEN, "examples", _QUARANTINE_FILE))

    @functools.cached_property
    def provenance(self) -> dict[str, Any]:
        """What the version was made of; empty where the run pushed none."""
        if not self.run.version:
            return {}
        return read_evidence(self.recipe.push_destination, self.run.version).provenance

    def _file(self, node_id: str, key: str, name: str) -> Path:
        folder = self.run.artifacts.get((node_id, key))
        if folder is None:
            raise UserError(f"the run did not get as far as {node_id}")
        if not folder.is_dir():
            raise UserError(f"what {node_id} left has been removed since (graft runs prune)")
        path = folder / name
        if not path.is_file():
            raise UserError(f"{node_id} left no {name}")
        return path


def _read_lines(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except ValueError as error:
        raise UserError(f"{path} is damaged: {one_line(error, 100)}") from error
