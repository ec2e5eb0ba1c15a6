"""Executor of the Evaluator."""

import logging
import tempfile
from pathlib import Path
from typing import Any

import apache_beam as beam
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tfx.components.evaluator import constants
from tfx.components.util import tfxio_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.types import Artifact, artifact_utils
from tfx.types import standard_component_specs as keys
from tfx.utils import io_utils, json_utils, path_utils

from components import features
from components.classes import read_classes
from components.errors import UserError
from components.evaluator import comparison, decisions, highlights, results, thumbnails
from components.evaluator.config import EvaluationSettings
from components.evaluator.eval_config import make_eval_config
from components.evaluator.explanations import explainer_of
from components.evaluator.extraction import answers_extractor
from components.evaluator.paired import FairPlay, known_to_served
from components.fingerprints import labels_fingerprint
from components.gates import failed, write_gates, write_marker
from components.predictions import (
    PREDICTIONS_FILE,
    gather,
    read_predictions,
    trained_ids,
)
from components.served_versions import EVIDENCE


class Executor(base_beam_executor.BaseBeamExecutor):
    """TFMA has the models answer and measures them; the rows of their answers decide."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates and blesses the model, or not.

        Beside TFMA's files lie `predictions.parquet`, `thumbnails.parquet`, `metrics.json` and,
        where there is a served model to compare with, `changes.jsonl`; beside the blessing,
        `gates.json`. The model is blessed (marker file and custom property `blessed`) if none of
        these rows is a `fail`.

        Custom properties of the blessing: `test_split`, a fingerprint of the pictures that were
        judged on; and `baseline_note`, which says why the model was not compared with a served one.

        Raises:
            UserError: the model carries no list of classes, or a slice that is asked for is no
                column of the pictures.
        """
        blessing = artifact_utils.get_single_instance(output_dict[keys.BLESSING_KEY])
        evaluation = artifact_utils.get_single_uri(output_dict[keys.EVALUATION_KEY])
        examples = artifact_utils.get_single_uri(input_dict[keys.EXAMPLES_KEY])
        baseline = artifact_utils.get_single_instance(input_dict[keys.BASELINE_MODEL_KEY])
        settings = EvaluationSettings.model_validate_json(exec_properties["settings"])
        model = _saved_model(artifact_utils.get_single_instance(input_dict[keys.MODEL_KEY]))
        classes = read_classes(model)
        note = _why_no_baseline(baseline, classes)
        if note:
            logging.warning("%s", note)
            blessing.set_string_custom_property("baseline_note", note)
        splits = json_utils.loads(exec_properties[keys.EXAMPLE_SPLITS_KEY])
        with tempfile.TemporaryDirectory(prefix=".answers-", dir=evaluation) as folder:
            loaded = self._measure(
                input_dict[keys.EXAMPLES_KEY],
                splits,
                model,
                "" if note else _saved_model(baseline),
                settings.top_k,
                evaluation,
                folder,
            )
            answers = sorted(Path(folder).glob("answers*"))
            gather(answers, examples, classes, Path(evaluation, PREDICTIONS_FILE))
        predictions = read_predictions(evaluation)
        fair_play = FairPlay() if note else _fair_play(baseline)
        decision = decisions.decide(predictions, settings, note, fair_play)
        metrics = results.make_metrics(predictions, settings)
        results.write_metrics(evaluation, metrics)
        results.write_metrics(_evidence(blessing), metrics)
        results.write_changes(evaluation, decision.changes)
        ids, labels = (predictions.pictures[key] for key in (features.IMAGE_ID, features.LABEL))
        compared = ~known_to_served(predictions, fair_play)
        explained = set(ids[highlights.to_explain(predictions, compared)])
        thumbnails.write_thumbnails(
            evaluation,
            _example_files(input_dict[keys.EXAMPLES_KEY], splits),
            set(ids[highlights.to_keep(predictions, compared=compared)]),
            explained,
            explainer_of(loaded) if explained else None,
        )
        write_gates(blessing.uri, decision.gates)
        test_split = labels_fingerprint(zip(ids, labels, strict=True))
        blessing.set_string_custom_property("test_split", test_split)
        _bless(blessing, not failed(decision.gates))

    # Of TFMA's metrics, which run as they are written, AutoGraph would make others for seconds.
    @tf.autograph.experimental.do_not_convert
    def _measure(
        self,
        examples: list[Artifact],
        splits: list[str],
        candidate: str,
        served: str,
        top_k: int,
        evaluation: str,
        answers: str,
    ) -> Any:
        """Has TFMA ask the models about each picture, and write metrics and answers.

        Returns:
            The candidate, loaded.
        """
        eval_config = tfma.utils.update_eval_config_with_defaults(
            make_eval_config(top_k), has_baseline=bool(served)
        )
        shared = [
            tfma.default_eval_shared_model(
                eval_saved_model_path=served if spec.is_baseline else candidate,
                model_name=spec.name,
                eval_config=eval_config,
            )
            for spec in eval_config.model_specs
        ]
        # Whoever asks it in this process shares it for as long as it is held.
        loaded = next(one for one in shared if not one.is_baseline).model_loader.load()
        shared_models = shared[0] if len(shared) == 1 else shared
        order = comparison.column_order(candidate, served) if served else None
        extractors = tfma.default_extractors(
            eval_shared_model=shared_models, eval_config=eval_config
        )
        tfxio_factory = tfxio_utils.get_tfxio_factory_from_artifact(
            examples, ["Evaluator"], raw_record_column_name=tfma.ARROW_INPUT_COLUMN
        )
        with self._make_beam_pipeline() as pipeline:
            pictures = [
                pipeline
                | f"Read[{split}]" >> tfxio_factory(io_utils.all_files_pattern(uri)).BeamSource()
                for split in splits
                for uri in artifact_utils.get_split_uris(examples, split)
            ]
            _ = (
                pictures
                | "Flatten" >> beam.Flatten()
                | "Evaluate"
                >> tfma.ExtractEvaluateAndWriteResults(
                    eval_shared_model=shared_models,
                    eval_config=eval_config,
                    extractors=[*extractors, answers_extractor(answers, order)],
                    output_path=evaluation,
                )
            )
        return loaded


def _evidence(blessing: Artifact) -> Path:
    """The folder of what is to stay with a version; it is made."""
    folder = Path(blessing.uri, EVIDENCE)
    folder.mkdir(exist_ok=True)
    return folder


def _example_files(examples: list[Artifact], splits: list[str]) -> list[str]:
    return [
        str(file)
        for split in splits
        for uri in artifact_utils.get_split_uris(examples, split)
        for file in sorted(Path(uri).iterdir())
    ]


def _bless(blessing: Artifact, blessed: bool) -> None:
    """Leaves what the stock executor leaves, of which TFX's own tools know a blessed model."""
    names = (constants.NOT_BLESSED_FILE_NAME, constants.BLESSED_FILE_NAME)
    write_marker(blessing.uri, blessed, names)
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)


def _saved_model(model: Artifact) -> str:
    return path_utils.serving_model_path(model.uri)


def _why_no_baseline(baseline: Artifact, names: list[str]) -> str:
    """One line that says why there is nothing to compare with; empty if there is."""
    if not baseline.get_int_custom_property("has_baseline"):
        return "no served model: not compared"
    return comparison.why_not_comparable(names, _saved_model(baseline))


def _fair_play(baseline: Artifact) -> FairPlay:
    """The pictures that the served model knows, from the evidence beside its copy."""
    version = baseline.get_string_custom_property("version")
    try:
        return FairPlay(trained_ids(Path(baseline.uri, EVIDENCE)))
    except FileNotFoundError:
        return FairPlay(note=f"version {version} has no evidence of what it was trained on")
    except UserError as error:
        return FairPlay(note=f"evidence of version {version} not used: {error}")
