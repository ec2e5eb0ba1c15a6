"""DataGate: whether the data are worth a training."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.data_gate import executor
from components.data_gate.config import DataGateSettings


class DataGateSpec(ComponentSpec):
    """TFX has no blessing for data; that for infrastructure is the same: a folder and a yes or no.

    A type of our own would have to carry its import path as its name on Kubeflow Pipelines.
    """

    PARAMETERS = {
        "settings": ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "baseline": ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {"data_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing)}


class DataGate(base_component.BaseComponent):
    """Holds the data to its settings, and to the data of the served model.

    Its output `data_blessing` holds:

    - `gates.json`: a row per check;
    - `evidence/`: what is to stay with a model that these data made, see `evidence`.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: BaseChannel,
        statistics: BaseChannel,
        anomalies: BaseChannel,
        baseline: BaseChannel,
        settings: DataGateSettings,
        code_digest: str,
    ):
        """Makes the node `DataGate`.

        Args:
            examples: `Examples` of the ImageExampleGen.
            statistics: `ExampleStatistics` of the StatisticsGen.
            anomalies: `ExampleAnomalies` of the ExampleValidator.
            baseline: `Model` of the BaselineFinder, with the evidence of the served version.
            settings: what the data must keep to.
            code_digest: digest of this component's source, part of the cache key.
        """
        super().__init__(
            DataGateSpec(
                examples=examples,
                statistics=statistics,
                anomalies=anomalies,
                baseline=baseline,
                settings=settings.model_dump_json(),
                code_digest=code_digest,
                data_blessing=Channel(type=standard_artifacts.InfraBlessing),
            )
        )
