"""Runs a recipe on this machine, node by node, and tells a listener about it."""

import datetime
import functools
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils, tfx_runner
from tfx.orchestration.portable.beam_executor_operator import BeamExecutorOperator
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import executable_spec_pb2, pipeline_pb2
from tfx.types import Artifact

from components import served_versions
from components.evaluator import results
from components.example_gen import split_ledger
from components.gates import read_gates
from components.serving_gate.executor import CHECKS_FILE
from components.trainer.fitting import resume
from components.trainer.network import initial_weights
from components.trainer.targets import teacher_files
from pipeline import preflight
from pipeline.config import Recipe
from pipeline.failures import explain
from pipeline.node_figures import main_figure
from pipeline.node_ids import TRAINER
from pipeline.pipeline import create_pipeline
from pipeline.preflight import Inspection, Scope
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
    served_versions.check_writable(str(recipe.push_destination.absolute()))
    return _conclude(_run(recipe, listener, found))


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
    destination = recipe.push_destination.absolute()
    folder = recipe.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    champion = served_versions.champion(str(destination))
    database = metadata_store_pb2.ConnectionConfig(
        sqlite=metadata_store_pb2.SqliteMetadataSourceConfig(
            filename_uri=str(folder / "metadata.sqlite")
        )
    )
    data = recipe.data.replaced(source=found.source.location)
    pipeline = create_pipeline(
        recipe.replaced(data=data),
        pipeline_root=str(folder / "artifacts"),
        push_destination=str(destination),
        schema_file=str(
            write_schema(found.source.classes, folder / "schemas", found.source.columns)
        ),
        input_fingerprint=found.fingerprint,
        ledger_fingerprint=split_ledger.ledger_fingerprint(
            data.split_ledger,
            split_ledger.ledger_inputs(found.fingerprint, data.model_dump_json()),
        ),
        champion_digest=served_versions.content_digest(champion.path) if champion else "",
        weights_fingerprint=initial_weights.fingerprint(recipe.backbone),
        teacher_fingerprint=teacher_files.fingerprint(recipe.distillation),
    )
    runner = _Runner(listener, database, recipe.beam.pipeline_args(), last_node)
    runner.run(pipeline)
    return runner.outputs


class _BeamOperator(BeamExecutorOperator):
    """Makes the Beam pipelines of the nodes, so that their options stay out of the specification.

    There they would be part of the cache's key, though how a node was run does not change what
    came out of it.
    """

    def __init__(self, executor_spec, platform_config=None, *, beam_args: Sequence[str]):
        super().__init__(executor_spec, platform_config)
        self._beam_args = beam_args

    def run_executor(self, execution_info, make_beam_pipeline_fn=None):
        # Not earlier than TensorFlow: it keeps models, which must go first when the process ends.
        import apache_beam as beam

        del make_beam_pipeline_fn
        return super().run_executor(
            execution_info, lambda: beam.Pipeline(argv=list(self._beam_args))
        )


class _Runner(tfx_runner.IrBasedRunner):
    """LocalDagRunner's loop, with a listener and with the outputs of cached nodes at hand.

    Attributes:
        outputs: output artifacts by node and key.
    """

    def __init__(
        self,
        listener: Listener,
        database: metadata_store_pb2.ConnectionConfig,
        beam_args: Sequence[str],
        last_node: str = "",
    ):
        """Makes the runner.

        Args:
            listener: told about every node.
            database: of ML Metadata.
            beam_args: options of Apache Beam.
            last_node: run only this one and those that it needs; empty: all.
        """
        self._listener = listener
        self._database = database
        self._operators = {
            executable_spec_pb2.BeamExecutableSpec: functools.partial(
                _BeamOperator, beam_args=beam_args
            )
        }
        self._last_node = last_node
        self.outputs: dict[str, Outputs] = {}

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options=None) -> None:
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline,
            {constants.PIPELINE_RUN_ID_PARAMETER_NAME: datetime.datetime.now().isoformat()},
        )
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        nodes = [node.pipeline_node for node in pipeline.nodes]
        if self._last_node:
            nodes = _with_upstream(nodes, self._last_node)
        self._listener.run_started([node.node_info.id for node in nodes])
        for node in nodes:
            node_id = node.node_info.id
            self._listener.node_started(node_id)
            start = time.monotonic()
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
                logging.exception("%s failed", node_id)
                raise RunError(f"{node_id}: {explain(error)}") from error
            with metadata.Metadata(self._database) as store:
                outputs = execution_lib.get_output_artifacts(store, info.execution_id)
            self.outputs[node_id] = outputs
            if node_id == TRAINER:
                (model_run,) = outputs["model_run"]
                resume.discard_published(model_run.uri)
            self._listener.node_finished(
                NodeReport(
                    node_id,
                    seconds=time.monotonic() - start,
                    cached=info.execution_output_uri is None,
                    figure=main_figure(node_id, outputs),
                )
            )


def _with_upstream(
    nodes: Sequence[pipeline_pb2.PipelineNode], last_node: str
) -> list[pipeline_pb2.PipelineNode]:
    """A node and those that it needs, in the pipeline's order."""
    needed = {last_node}
    for node in reversed(nodes):  # in topological order, so consumers come first
        if node.node_info.id in needed:
            needed.update(node.upstream_nodes)
    return [node for node in nodes if node.node_info.id in needed]


def _conclude(outputs: dict[str, Outputs]) -> RunResult:
    (pushed,) = outputs["Pusher"]["pushed_model"]
    (evaluation,) = outputs["Evaluator"]["evaluation"]
    (infra_blessing,) = outputs["ServingGate"]["infra_blessing"]
    return RunResult(
        gates=[
            *results.read_gates(evaluation.uri),
            *read_gates(Path(infra_blessing.uri) / CHECKS_FILE),
        ],
        pushed_path=pushed.get_string_custom_property("pushed_destination"),
        already_served=pushed.get_string_custom_property("already_served"),
    )
