"""ServingGate: asks the model, in a clean process, what a client will ask it."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.serving_gate import executor
from components.serving_gate.config import ServingGateSettings


class ServingGateSpec(ComponentSpec):
    """The blessing has the form of the stock InfraValidator's, which the stock Pusher checks."""

    PARAMETERS = {
        "settings": ExecutionParameter(type=str),
        "split": ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "examples": ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ServingGate(base_component.BaseComponent):
    """Stands in for TFX's InfraValidator, which needs Docker or a cluster."""

    SPEC_CLASS = ServingGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: BaseChannel,
        examples: BaseChannel,
        settings: ServingGateSettings,
        split: str,
        code_digest: str,
    ):
        """Makes the node `ServingGate`.

        Args:
            model: `Model` of the Trainer.
            examples: `Examples` of the ImageExampleGen.
            settings: what a client may expect.
            split: name of the split whose pictures are sent.
            code_digest: digest of this component's source, part of the cache key.
        """
        super().__init__(
            ServingGateSpec(
                model=model,
                examples=examples,
                settings=settings.model_dump_json(),
                split=split,
                code_digest=code_digest,
                infra_blessing=Channel(type=standard_artifacts.InfraBlessing),
            )
        )
