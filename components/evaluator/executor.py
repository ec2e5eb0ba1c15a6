"""Executor of the Evaluator."""

import logging
from pathlib import Path
from typing import Any

from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator import executor as stock
from tfx.types import Artifact, artifact_utils
from tfx.types import standard_component_specs as keys
from tfx.utils import path_utils, proto_utils

from components.classes import read_classes
from components.evaluator import comparison, results, tfma_results
from components.gates import write_gates


class Executor(stock.Executor):
    """The stock executor between two steps: what it is to compare, and what came of it."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates, blesses or not, and writes `gates.json` and `metrics.json` beside TFMA's.

        `gates.json` lies beside the blessing too.

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
        results.write(Path(evaluation), gates, tfma_results.make_metrics(evaluation, names))
        # The blessing is what travels to the Pusher, which has to say why it pushes nothing.
        write_gates(Path(blessing.uri) / results.GATES_FILE, gates)


def _saved_model(model: list[Artifact]) -> str:
    return path_utils.serving_model_path(artifact_utils.get_single_uri(model))


def _why_no_baseline(input_dict: dict[str, list[Artifact]], names: list[str]) -> str:
    """One line that says why there is nothing to compare with; empty if there is."""
    baseline = artifact_utils.get_single_instance(input_dict[keys.BASELINE_MODEL_KEY])
    if not baseline.get_int_custom_property("has_baseline"):
        return "no served model: not compared"
    return comparison.why_not_comparable(names, _saved_model([baseline]))
