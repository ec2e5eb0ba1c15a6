"""Compiles a recipe into a package that an open-source Kubeflow Pipelines backend takes."""

from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as runner

from pipeline.config import Recipe
from pipeline.kubeflow.compiler import data_blessing, parameters, recipe_checks, report
from pipeline.kubeflow.compiler.post_process import post_process
from pipeline.kubeflow.compiler.wiring import hand_on
from pipeline.kubeflow.package.setting_paths import MACHINE
from pipeline.node_ids import PUSHER, STATISTICS_GEN, TRAINER
from pipeline.pipeline import create_pipeline
from pipeline.provenance import provenance
from pipeline.schema import schema_text

_PAGE = "pipeline.report.step.make_report"
COMMAND = ("python", "-m", "pipeline.kubeflow.step.entrypoint")


def compile_package(recipe: Recipe) -> str:
    """Compiles a recipe.

    Neither the pictures nor the served model are looked at, because the cluster has its own; the
    step Probe looks at them there, see `compiler.probe`.

    Args:
        recipe: its block `kubeflow` names an image at least.

    Returns:
        YAML of two documents: the PipelineSpec (schema 2.1.0), and the PlatformSpec with what only
        Kubernetes understands. On the same line of TFX the same recipe gives the same bytes, but
        for the revision that is noted in them.

    Raises:
        UserError: the recipe cannot run in a cluster; the text says which setting is at fault.
    """
    recipe_checks.check_recipe(recipe)
    source, destination = recipe_checks.data_source(recipe), recipe_checks.push_destination(recipe)
    data = recipe.data.model_copy(update={"source": source})
    there = recipe.model_copy(update={"data": data})
    pipeline = create_pipeline(
        there.model_copy(update={"name": pipeline_name(recipe)}),
        pipeline_root="",  # chosen by each run
        push_destination=destination,
        schema_file="",  # see setting_paths.SCHEMA_TEXT
        # The rest is of the run: the Pusher's step adds it.
        provenance=provenance(there, inputs={}, machine={}),
        beam_pipeline_args=recipe.beam.pipeline_args(STATISTICS_GEN),
        image_beam_args=recipe.beam.pipeline_args() if recipe.beam.local_nodes else (),
        report=_PAGE,
        libraries={},  # the image holds them, which is part of the backend's cache key itself
    )
    job = runner.KubeflowV2DagRunner(
        runner.KubeflowV2DagRunnerConfig(
            default_image=recipe.kubeflow.image,
            default_commands=list(COMMAND),
            use_pipeline_spec_2_1=True,
        )
    ).run(pipeline, write_out=False)
    spec = job["pipelineSpec"]
    data_blessing.add_verdict(spec)
    hand_on(spec, TRAINER, PUSHER, MACHINE)
    report.add_evidence(spec)
    report.add_verdict(spec)
    text = post_process(
        spec,
        recipe.kubeflow,
        parameters.exposed_settings(recipe, source, destination),
        schema_text(),  # without classes: they are those of the source that a run chooses
    )
    recipe_checks.check_no_password(text)
    return text


def pipeline_name(recipe: Recipe) -> str:
    """The recipe's name with the letters that Kubeflow Pipelines allows."""
    return recipe.name.replace("_", "-").strip("-")
