"""Evaluator: as the stock one, but what is decided is proved by each picture's answers."""

import json

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import BaseChannel, Channel, standard_artifacts, standard_component_specs
from tfx.types.component_spec import ExecutionParameter

from components.evaluator import executor
from components.evaluator.config import EvaluationSettings


class EvaluatorSpec(standard_component_specs.EvaluatorSpec):
    """The stock inputs and outputs, and the parameters that are used here."""

    PARAMETERS = {
        "settings": ExecutionParameter(type=str),
        standard_component_specs.EXAMPLE_SPLITS_KEY: ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """Measures the model with TFMA and blesses it if every row of its gates allows it."""

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: BaseChannel,
        model: BaseChannel,
        baseline_model: BaseChannel,
        settings: EvaluationSettings,
        example_splits: list[str],
        code_digest: str,
    ):
        """Makes the node `Evaluator`.

        Args:
            examples: `Examples` of the ImageExampleGen.
            model: `Model` of the Trainer.
            baseline_model: `Model` of the BaselineFinder; may hold none.
            settings: what must be proved.
            example_splits: names of the splits to measure on.
            code_digest: digest of this component's source, part of the cache key.
        """
        super().__init__(
            EvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                settings=settings.model_dump_json(),
                example_splits=json.dumps(example_splits),
                code_digest=code_digest,
                evaluation=Channel(type=standard_artifacts.ModelEvaluation),
                blessing=Channel(type=standard_artifacts.ModelBlessing),
            )
        )
