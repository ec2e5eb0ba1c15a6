"""Report: the page of a run on a cluster, from what the other nodes left."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.report import executor


class ReportSpec(ComponentSpec):
    """Evidence alone, never the examples: on a cluster each consumer downloads all of them."""

    PARAMETERS = {
        "make": ExecutionParameter(type=str),
        "provenance": ExecutionParameter(type=str),
    }
    INPUTS = {
        "data_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "model_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing),
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel),
    }
    # TFX has no type for pages; nothing downstream reads this one.
    OUTPUTS = {"report": ChannelParameter(type=standard_artifacts.ModelEvaluation)}


class Report(base_component.BaseComponent):
    """Makes the page after the Pusher, whatever that one did; never stops a run."""

    SPEC_CLASS = ReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        data_blessing: BaseChannel,
        model_run: BaseChannel,
        evaluation: BaseChannel,
        model_blessing: BaseChannel,
        infra_blessing: BaseChannel,
        pushed_model: BaseChannel,
        make: str,
        provenance: str,
    ):
        """Makes the node `Report`.

        Args:
            data_blessing: `InfraBlessing` of the DataGate.
            model_run: `ModelRun` of the Trainer.
            evaluation: `ModelEvaluation` of the Evaluator.
            model_blessing: `ModelBlessing` of the Evaluator.
            infra_blessing: `InfraBlessing` of the ServingGate.
            pushed_model: `PushedModel` of the Pusher.
            make: import path of the function that makes the page, see `executor.Make`. It is what
                knows of the whole pipeline, which components do not.
            provenance: JSON: where the model comes from.
        """
        super().__init__(
            ReportSpec(
                data_blessing=data_blessing,
                model_run=model_run,
                evaluation=evaluation,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                pushed_model=pushed_model,
                make=make,
                provenance=provenance,
                report=Channel(type=standard_artifacts.ModelEvaluation),
            )
        )
