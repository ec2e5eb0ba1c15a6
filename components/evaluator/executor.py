"""Executor of the Evaluator."""

import logging
from pathlib import Path
from typing import Any

from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as stock
from tfx.components.util import model_utils
from tfx.types import Artifact, artifact_utils
from tfx.types import standard_component_specs as keys
from tfx.utils import path_utils, proto_utils

from components.classes import read_classes
from components.evaluator import comparison, results, tfma_results
from components.gates import Gate, failed, write_gates


class Executor(stock.Executor):
    """The stock executor measures; the rows of `gates.json` decide about the blessing."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates and blesses the model, or not.

        `metrics.json` lies beside TFMA's files, `gates.json` beside the blessing. The model is
        blessed (marker file and custom property `blessed`) if none of these rows is a `fail`.
        Where the model is not compared with a served one, the custom property `baseline_note` of
        the blessing says why.

        Raises:
            UserError: the model carries no list of classes.
        """
        blessing = artifact_utils.get_single_instance(output_dict[keys.BLESSING_KEY])
        evaluation = artifact_utils.get_single_uri(output_dict[keys.EVALUATION_KEY])
        names = read_classes(_saved_model(input_dict[keys.MODEL_KEY]))
        note = _why_no_baseline(input_dict, names)
        if note:
            logging.warning("%s", note)
            blessing.set_string_custom_property("baseline_note", note)
            input_dict = {k: v for k, v in input_dict.items() if k != keys.BASELINE_MODEL_KEY}
        super().Do(input_dict, output_dict, exec_properties)
        eval_config = proto_utils.json_to_proto(
            exec_properties[keys.EVAL_CONFIG_KEY], config_pb2.EvalConfig()
        )
        gates = tfma_results.make_gates(evaluation, eval_config, note)
        if not failed(gates) and not model_utils.is_model_blessed(blessing):
            message = "TFMA did not validate the model, although every bound is kept: see its log"
            gates.append(Gate("TFMA", "fail", None, None, message))
        results.write_metrics(evaluation, tfma_results.make_metrics(evaluation, names))
        write_gates(blessing.uri, gates)
        _bless(blessing, not failed(gates))


def _bless(blessing: Artifact, blessed: bool) -> None:
    """Leaves what the stock executor leaves, of which TFX's own tools know a blessed model."""
    for name in (constants.BLESSED_FILE_NAME, constants.NOT_BLESSED_FILE_NAME):
        Path(blessing.uri, name).unlink(missing_ok=True)
    marker = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    Path(blessing.uri, marker).touch()
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)


def _saved_model(model: list[Artifact]) -> str:
    return path_utils.serving_model_path(artifact_utils.get_single_uri(model))


def _why_no_baseline(input_dict: dict[str, list[Artifact]], names: list[str]) -> str:
    """One line that says why there is nothing to compare with; empty if there is."""
    baseline = artifact_utils.get_single_instance(input_dict[keys.BASELINE_MODEL_KEY])
    if not baseline.get_int_custom_property("has_baseline"):
        return "no served model: not compared"
    return comparison.why_not_comparable(names, _saved_model([baseline]))
