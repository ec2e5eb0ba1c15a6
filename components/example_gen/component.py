"""The component that reads labelled pictures into TFX examples."""

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.example_gen import executor
from components.example_gen.config import DataSettings


class ImageExampleGenSpec(ComponentSpec):
    """All properties are strings: that is what Kubeflow Pipelines can pass on."""

    PARAMETERS = {
        "source": ExecutionParameter(type=str),
        "settings": ExecutionParameter(type=str),
        "unlabelled": ExecutionParameter(type=str),
        "input_fingerprint": ExecutionParameter(type=str),
        "ledger_fingerprint": ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {}
    OUTPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}


class ImageExampleGen(base_beam_component.BaseBeamComponent):
    """Reads labelled pictures, from any source that `data.source` may name, into three splits.

    Unlabelled pictures go through the same checks into a fourth, `unlabelled`, which is for the
    Trainer alone. Copies of labelled pictures are left out of it. Copies of a picture are always in
    one split, unless the source itself puts them into several.

    Its output `examples` holds:

    - `Split-<name>/data_tfrecord-?????-of-?????.gz` for each of these: records as described in
      `components.features`;
    - `pictures.parquet`: a row per picture: content id, path, duplicate group, label, split, facts
      (see `facts.Facts`);
    - `originals/`: up to 64 files of the test split just as the source has them, of every format,
      orientation and colour mode, named by their place and their content id;
    - `summary.json`: classes and counts, see `summary.Summary`;
    - `quarantine.jsonl`: `{"path": …, "reason": …}` per file that was set aside.

    It derives from no stock ExampleGen, because their driver does not run on open-source Kubeflow
    Pipelines.
    """

    SPEC_CLASS = ImageExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        source: str,
        settings: DataSettings,
        unlabelled: str,
        input_fingerprint: str,
        ledger_fingerprint: str,
        code_digest: str,
    ):
        """Makes the node.

        Args:
            source: What to read; a property of its own so that it can be a parameter of the run.
            settings: How to read it; its own `source` is not looked at.
            unlabelled: Folder of unlabelled pictures; empty: none.
            input_fingerprint: `sources.fingerprint` of the source, so that changed pictures are not
                taken from the cache.
            ledger_fingerprint: `split_ledger.ledger_fingerprint`, for the same reason.
            code_digest: Digest of this component's code, so that changed code is not either.
        """
        super().__init__(
            ImageExampleGenSpec(
                source=source,
                settings=settings.model_dump_json(),
                unlabelled=unlabelled,
                input_fingerprint=input_fingerprint,
                ledger_fingerprint=ledger_fingerprint,
                code_digest=code_digest,
                examples=Channel(type=standard_artifacts.Examples),
            )
        )
