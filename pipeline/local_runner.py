"""Runs a recipe on this machine, node by node, and tells a listener about it."""

import contextlib
import datetime
import functools
import logging
import time
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import (
    launcher,
    partial_run_utils,
    runtime_parameter_utils,
    tfx_runner,
)
from tfx.orchestration.portable.beam_executor_operator import BeamExecutorOperator
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import executable_spec_pb2, pipeline_pb2
from tfx.types import Artifact

from components import destinations
from components.example_gen.splitting import split_ledger
from components.gates import Gate, failed, read_gates
from components.serving_gate import executor as serving_executor
from components.serving_gate import process as serving_process
from components.trainer.fitting import resume
from components.trainer.network import initial_weights
from components.trainer.targets import teacher_files
from pipeline import artifact_manifests, dask_cluster, preflight, processes, same_run
from pipeline.beam_config import BeamSettings
from pipeline.config import Recipe
from pipeline.failures import explain
from pipeline.metadata_database import (
    DATABASE,
    FAILURE,
    UP_TO,
    remove_unfinished,
    set_aside_if_damaged,
)
from pipeline.node_figures import summarize
from pipeline.node_ids import (
    BLESSINGS,
    DATA_GATE,
    IMAGE_EXAMPLE_GEN,
    PUSHER,
    SERVING_GATE,
    TRAINER,
)
from pipeline.pipeline import create_pipeline
from pipeline.preflight import Inspection, Scope
from pipeline.provenance import provenance, this_machine
from pipeline.run_result import Listener, NodeReport, RunError, RunResult
from pipeline.schema import write_schema

Outputs = dict[str, list[Artifact]]


def run_local(recipe: Recipe, listener: Listener, found: Inspection | None = None) -> RunResult:
    """Runs a recipe with an in-process Beam runner and ML Metadata in SQLite.

    Args:
        recipe: what to run.
        listener: told about every node.
        found: of `preflight.inspect`; None: it is called here.

    Raises:
        RunError: a node failed.
        UserError: the recipe asks for something that is not there; nothing has been run.
    """
    found = found or preflight.inspect(recipe, Scope.MACHINE)
    destination = destinations.absolute(recipe.push_destination)
    destinations.check_writable(destination)
    result = _conclude(_run(recipe, listener, found))
    _check_served(result, destination)
    return result


def run_up_to(
    node_id: str, recipe: Recipe, listener: Listener, found: Inspection
) -> dict[str, Outputs]:
    """Runs one node of a recipe and those that it needs, or takes them from the cache.

    A later `run_local` finds them in the cache in turn: they are the very same nodes.

    Args:
        node_id: the last node to run.
        recipe: what to run.
        listener: told about every node.
        found: of `preflight.inspect`.

    Returns:
        The output artifacts of each of these nodes, by node and key.

    Raises:
        RunError: a node failed.
        UserError: the recipe asks for something that is not there; nothing has been run.
    """
    return _run(recipe, listener, found, node_id)


def _run(
    recipe: Recipe, listener: Listener, found: Inspection, last_node: str = ""
) -> dict[str, Outputs]:
    preflight.check_network(recipe)
    destination = destinations.absolute(recipe.push_destination)
    folder = recipe.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if notice := set_aside_if_damaged(folder):
        listener.noticed(notice)
    remove_unfinished(folder)
    database = metadata_store_pb2.ConnectionConfig(
        sqlite=metadata_store_pb2.SqliteMetadataSourceConfig(filename_uri=str(folder / DATABASE))
    )
    data = recipe.data.replaced(source=found.source.location)
    pictures = found.fingerprint  # a hash over a line per picture
    inputs = {
        "input_fingerprint": pictures,
        "ledger_fingerprint": split_ledger.ledger_fingerprint(
            data.split_ledger,
            split_ledger.ledger_inputs(pictures, data.model_dump_json()),
        ),
        "weights_fingerprint": initial_weights.fingerprint(recipe.backbone),
        "teacher_fingerprint": teacher_files.fingerprint(recipe.distillation),
    }
    machine = this_machine()
    served, version = same_run.compared_fingerprint(recipe, inputs, machine, destination)
    if version:
        listener.noticed(
            f"Version {version} was made of the same: it is not compared with itself, these are "
            "the verdicts that it was pushed with"
        )
    made_of = {**inputs, same_run.SERVED_FINGERPRINT: served}
    pipeline = create_pipeline(
        recipe.replaced(data=data),
        pipeline_root=str(folder / artifact_manifests.ARTIFACTS),
        push_destination=destination,
        schema_file=str(
            write_schema(found.source.classes, folder / "schemas", found.source.columns)
        ),
        provenance=provenance(recipe, made_of, machine),
        **made_of,
    )
    if recipe.beam.local_nodes:
        listener.noticed(
            f"beam.runner is {recipe.beam.runner}, which cannot carry "
            f"{', '.join(recipe.beam.local_nodes)}: they run here"
        )
    runner = _Runner(listener, folder, database, recipe.beam, last_node)
    runner.run(pipeline)
    return runner.outputs


class _BeamOperator(BeamExecutorOperator):
    """Makes the Beam pipelines of the nodes, so that their options stay out of the specification.

    There they would be part of the cache's key, though how a node was run does not change what
    came out of it.
    """

    def __init__(self, executor_spec, platform_config=None, *, settings: BeamSettings):
        super().__init__(executor_spec, platform_config)
        self._settings = settings

    def run_executor(self, execution_info, make_beam_pipeline_fn=None):
        # Not earlier than TensorFlow: it keeps models, which must go first when the process ends.
        import apache_beam as beam

        del make_beam_pipeline_fn
        node_id = execution_info.pipeline_node.node_info.id
        arguments = self._settings.pipeline_args(node_id)
        on_dask = self._settings.runner == "dask" and node_id not in self._settings.local_nodes
        with dask_cluster.used() if on_dask else contextlib.nullcontext():
            return super().run_executor(execution_info, lambda: beam.Pipeline(argv=arguments))


class _Runner(tfx_runner.IrBasedRunner):
    """LocalDagRunner's loop, with a listener and with the outputs of cached nodes at hand.

    Attributes:
        outputs: output artifacts by node and key.
    """

    def __init__(
        self,
        listener: Listener,
        folder: Path,
        database: metadata_store_pb2.ConnectionConfig,
        beam: BeamSettings,
        last_node: str = "",
    ):
        """Makes the runner.

        Args:
            listener: told about every node.
            folder: of the recipe, absolute.
            database: of ML Metadata.
            beam: who runs the nodes with Beam.
            last_node: run only this one and those that it needs; empty: all.
        """
        self._listener = listener
        self._folder = folder
        self._database = database
        self._operators = {
            executable_spec_pb2.BeamExecutableSpec: functools.partial(_BeamOperator, settings=beam)
        }
        self._last_node = last_node
        self.outputs: dict[str, Outputs] = {}

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options=None) -> None:
        with contextlib.ExitStack() as at_end:
            self._run_nodes(pipeline, at_end)

    def _run_nodes(self, pipeline: pipeline_pb2.Pipeline, at_end: contextlib.ExitStack) -> None:
        name = datetime.datetime.now().isoformat()
        if self._last_node:
            name += f"{UP_TO}{self._last_node}"
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: name}
        )
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        nodes = [node.pipeline_node for node in pipeline.nodes]
        if self._last_node:
            partial_run_utils.mark_pipeline(pipeline, to_nodes=[self._last_node])
            nodes = [node for node in nodes if node.execution_options.HasField("run")]
        self._listener.run_started([node.node_info.id for node in nodes])
        for node in nodes:
            node_id = node.node_info.id
            self._listener.node_started(node_id)
            start = time.monotonic()
            if node_id == PUSHER:  # what it does depends on the destination, not on its inputs
                node.execution_options.caching_options.enable_cache = False
            self._forget_damaged_artifacts(node_id)
            if node_id == SERVING_GATE:
                self._forget_refusals()
            try:
                info = launcher.Launcher(
                    pipeline_node=node,
                    mlmd_connection=metadata.Metadata(self._database),
                    pipeline_info=pipeline.pipeline_info,
                    pipeline_runtime_spec=pipeline.runtime_spec,
                    executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
                    custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
                    custom_executor_operators=self._operators,
                ).launch()
            except Exception as error:
                processes.stop_all_the_same()
                logging.exception("%s failed", node_id)
                reason = explain(error)
                self._note_failure(reason)
                raise RunError(f"{node_id}: {reason}") from error
            with metadata.Metadata(self._database) as store:
                outputs = execution_lib.get_output_artifacts(store, info.execution_id)
            self.outputs[node_id] = outputs
            if node_id == TRAINER:
                (model_run,) = outputs["model_run"]
                resume.discard_published(model_run.uri)
                if info.execution_output_uri is not None and not self._last_node:
                    # A new model will be asked: that begins while the Evaluator works.
                    (gate,) = (node for node in nodes if node.node_info.id == SERVING_GATE)
                    at_end.enter_context(serving_process.begun_early(self._request(gate)))
            uris = [artifact.uri for artifacts in outputs.values() for artifact in artifacts]
            artifact_manifests.write_missing(self._folder, uris)
            self._listener.node_finished(
                NodeReport(
                    node_id,
                    seconds=time.monotonic() - start,
                    cached=info.execution_output_uri is None,
                    summary=summarize(node_id, outputs),
                )
            )
            if node_id == DATA_GATE and failed(_gates(self.outputs)):
                self._listener.noticed("The data failed the DataGate: nothing is trained")
                return

    def _request(self, serving_gate: pipeline_pb2.PipelineNode) -> serving_process.Request:
        """What the ServingGate will ask, from what it will be given."""
        inputs = {**self.outputs[IMAGE_EXAMPLE_GEN], **self.outputs[TRAINER]}
        parameters = serving_gate.parameters.parameters
        properties = {name: one.field_value.string_value for name, one in parameters.items()}
        return serving_executor.request_of(inputs, properties)

    def _note_failure(self, reason: str) -> None:
        """Keeps why the last execution failed, for whoever tells of the run later."""
        with metadata.Metadata(self._database) as store:
            executions = store.store.get_executions()
            last = max(executions, key=lambda execution: execution.id, default=None)
            # A node whose inputs could not be found has no execution.
            if last and last.last_known_state == metadata_store_pb2.Execution.FAILED:
                last.custom_properties[FAILURE].string_value = reason
                store.store.put_executions([last])

    def _forget_damaged_artifacts(self, node_id: str) -> None:
        """Keeps the cache from handing out what is not as it was published."""
        for uri, damage in artifact_manifests.find_damaged(self._folder, node_id).items():
            self._listener.noticed(f"{node_id}: {uri} is damaged, it is not used: {damage}")
            self._forget(uri)

    def _forget_refusals(self) -> None:
        """Has models asked again that ServingGate refused: the machine may have been at fault.

        It may have been busy, asleep, or short of memory or disk.
        """
        for blessing in artifact_manifests.noted(self._folder, SERVING_GATE):
            if failed(read_gates(blessing)):
                self._forget(str(blessing))

    def _forget(self, uri: str) -> None:
        with metadata.Metadata(self._database) as store:
            artifacts = store.store.get_artifacts_by_uri(uri)
            for artifact in artifacts:
                artifact.state = metadata_store_pb2.Artifact.DELETED
            store.store.put_artifacts(artifacts)
        artifact_manifests.forget(self._folder, uri)


def _check_served(result: RunResult, destination: str) -> None:
    """Holds the last word of a run to what its destination really serves.

    Raises:
        RunError: it is not the model that the run says it is.
    """
    claimed = result.already_served or Path(result.pushed_path).name
    served = destinations.served_state(destination).champion
    if claimed and claimed != served:
        now = f"version {served}" if served else "nothing"
        raise RunError(f"version {claimed} was served, but {destination} serves {now} by now")


def _conclude(outputs: dict[str, Outputs]) -> RunResult:
    gates = _gates(outputs)
    if PUSHER not in outputs:  # the DataGate said no
        return RunResult(gates, pushed_path="", already_served="")
    (pushed,) = outputs[PUSHER]["pushed_model"]
    return RunResult(
        gates,
        pushed_path=pushed.get_string_custom_property("pushed_destination"),
        already_served=pushed.get_string_custom_property("already_served"),
    )


def _gates(outputs: dict[str, Outputs]) -> list[Gate]:
    """The rows of all gates that have been asked."""
    return [
        gate
        for node_id, key in BLESSINGS.items()
        if node_id in outputs
        for gate in read_gates(outputs[node_id][key][0].uri, node_id)
    ]
