"""Pusher: puts a model that passed every gate where it is served, in one step."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.pusher import executor


class PusherSpec(standard_component_specs.PusherSpec):
    """The stock inputs and output and two more inputs; the destination is plain text."""

    INPUTS = {
        **standard_component_specs.PusherSpec.INPUTS,
        "data_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing),
        "baseline": ChannelParameter(type=standard_artifacts.Model),
    }

    PARAMETERS = {
        standard_component_specs.PUSH_DESTINATION_KEY: ExecutionParameter(type=str),
        "signing_key": ExecutionParameter(type=str),
        "allow_taken_back": ExecutionParameter(type=int),
        "provenance": ExecutionParameter(type=str),
        "most_candidates": ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
    }


class Pusher(base_component.BaseComponent):
    """Pushes the model as a new version, if no gate failed and it is not served already."""

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: BaseChannel,
        model_blessing: BaseChannel,
        infra_blessing: BaseChannel,
        data_blessing: BaseChannel,
        baseline: BaseChannel,
        push_destination: str,
        signing_key: str,
        allow_taken_back: bool,
        provenance: str,
        most_candidates: int,
        code_digest: str,
    ):
        """Makes the node `Pusher`.

        Args:
            model: `Model` of the Trainer.
            model_blessing: `ModelBlessing` of the Evaluator.
            infra_blessing: `InfraBlessing` of the ServingGate.
            data_blessing: `InfraBlessing` of the DataGate.
            baseline: `Model` of the BaselineFinder: what the model was compared with, and what it
                replaces.
            push_destination: folder of the served versions, or s3://bucket/prefix.
            signing_key: path of the private key that signs what is pushed; empty: not signed.
            allow_taken_back: also push a model that a rollback took back.
            provenance: JSON: where the model comes from, to lie in the evidence of its version.
            most_candidates: models judged on one test split before a warning.
            code_digest: digest of this component's source, part of the cache key.
        """
        super().__init__(
            PusherSpec(
                model=model,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                data_blessing=data_blessing,
                baseline=baseline,
                push_destination=push_destination,
                signing_key=signing_key,
                allow_taken_back=int(allow_taken_back),
                provenance=provenance,
                most_candidates=str(most_candidates),
                code_digest=code_digest,
                pushed_model=Channel(type=standard_artifacts.PushedModel),
            )
        )
