"""BaselineFinder: the model now served, as an artifact the Evaluator can compare with."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.baseline_finder import executor


class BaselineFinderSpec(ComponentSpec):
    """No input; the model served at `push_destination`, with its evidence, is the output."""

    PARAMETERS = {
        "push_destination": ExecutionParameter(type=str),
        "served_fingerprint": ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {}
    OUTPUTS = {"baseline": ChannelParameter(type=standard_artifacts.Model)}


class BaselineFinder(base_component.BaseComponent):
    """Stands in for TFX's Resolver, which open-source Kubeflow Pipelines cannot run."""

    SPEC_CLASS = BaselineFinderSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, push_destination: str, served_fingerprint: str, code_digest: str):
        """Makes the node `BaselineFinder`.

        Args:
            push_destination: folder of the served versions, or s3://bucket/prefix.
            served_fingerprint: `destinations.fingerprint` of the destination when the pipeline
                is built; empty where that cannot be known. Part of the cache key: a node without
                inputs would otherwise be taken from the cache after another model was pushed.
            code_digest: digest of this component's source, part of the cache key.
        """
        super().__init__(
            BaselineFinderSpec(
                push_destination=push_destination,
                served_fingerprint=served_fingerprint,
                code_digest=code_digest,
                baseline=Channel(type=standard_artifacts.Model),
            )
        )
