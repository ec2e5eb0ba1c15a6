"""Evaluator: the stock one, which may be given a baseline artifact without a model in it."""

import json

from tensorflow_model_analysis.proto import config_pb2
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import BaseChannel, Channel, standard_artifacts, standard_component_specs
from tfx.types.component_spec import ExecutionParameter

from components.evaluator import executor


class EvaluatorSpec(standard_component_specs.EvaluatorSpec):
    """The stock inputs and outputs, and the parameters that are used here."""

    PARAMETERS = {
        standard_component_specs.EVAL_CONFIG_KEY: ExecutionParameter(type=config_pb2.EvalConfig),
        standard_component_specs.EXAMPLE_SPLITS_KEY: ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """Measures the model with TFMA and blesses it if it keeps every bound of the evaluation."""

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: BaseChannel,
        model: BaseChannel,
        baseline_model: BaseChannel,
        eval_config: config_pb2.EvalConfig,
        example_splits: list[str],
        code_digest: str,
    ):
        """Makes the node `Evaluator`.

        Args:
            examples: `Examples` of the ImageExampleGen.
            model: `Model` of the Trainer.
            baseline_model: `Model` of the BaselineFinder; may hold none.
            eval_config: what to measure and which bounds to keep.
            example_splits: names of the splits to measure on.
            code_digest: digest of this component's source, part of the cache key.
        """
        super().__init__(
            EvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                eval_config=eval_config,
                example_splits=json.dumps(example_splits),
                code_digest=code_digest,
                evaluation=Channel(type=standard_artifacts.ModelEvaluation),
                blessing=Channel(type=standard_artifacts.ModelBlessing),
            )
        )
