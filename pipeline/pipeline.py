"""The pipeline: wiring only. Both runners get their pipeline from here."""

import functools
from collections.abc import Mapping, Sequence

from tfx.components.example_validator.component import ExampleValidator
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2, transform_pb2

from components import features
from components.baseline_finder.component import BaselineFinder
from components.data_gate.component import DataGate
from components.evaluator.component import Evaluator
from components.example_gen.component import ImageExampleGen
from components.pusher.component import Pusher
from components.report.component import Report
from components.serving_gate.component import ServingGate
from components.settings import SETTINGS_KEY
from pipeline.code_digest import PREPROCESSING, SERVING_CLIENT, TRAINING, code_digest
from pipeline.config import Recipe


def create_pipeline(
    recipe: Recipe,
    *,
    pipeline_root: str,
    push_destination: str,
    schema_file: str,
    input_fingerprint: str = "",
    ledger_fingerprint: str = "",
    served_fingerprint: str = "",
    weights_fingerprint: str = "",
    teacher_fingerprint: str = "",
    provenance: str = "{}",
    beam_pipeline_args: Sequence[str] = (),
    image_beam_args: Sequence[str] = (),
    report: str = "",
    libraries: Mapping[str, str] | None = None,
) -> Pipeline:
    """Wires a recipe into a TFX pipeline.

    Args:
        recipe: what to run.
        pipeline_root: folder or URI for all artifacts.
        push_destination: folder or URI in which the served versions live.
        schema_file: the schema of the examples, see `pipeline.schema`.
        input_fingerprint: changes when the pictures do; makes a cached ImageExampleGen run again.
        ledger_fingerprint: the same for the split ledger.
        served_fingerprint: changes when what is served does; makes a cached BaselineFinder run.
        weights_fingerprint: changes when the files of `backbone.weights` do; makes a cached Trainer
            run.
        teacher_fingerprint: the same for those of `distillation.teacher`.
        provenance: where the model comes from, see `pipeline.provenance`.
        beam_pipeline_args: options of Apache Beam.
        image_beam_args: those of ImageExampleGen alone, which go before the others.
        report: import path of what makes the page; empty: no node Report, because whoever runs the
            pipeline makes the page itself.
        libraries: versions by name, with which cached nodes run again; None: of those that are
            installed.
    """
    digest = functools.partial(code_digest, libraries=libraries)
    examples = ImageExampleGen(
        source=recipe.data.source,
        settings=recipe.data,
        unlabelled=recipe.pseudo_labels.source if recipe.pseudo_labels else "",
        input_fingerprint=input_fingerprint,
        ledger_fingerprint=ledger_fingerprint,
        code_digest=digest("components.example_gen.executor"),
    ).with_beam_pipeline_args(image_beam_args)
    # For the Trainer alone: they have no labels, and nobody has said what they look like.
    unlabelled = [features.UNLABELLED] if recipe.pseudo_labels else []
    schema = ImportSchemaGen(schema_file=schema_file)
    statistics = StatisticsGen(
        examples=examples.outputs["examples"],
        # Says that pictures are bytes: as strings every value would be counted, in memory.
        schema=schema.outputs["schema"],
        exclude_splits=unlabelled,
    )
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    baseline = BaselineFinder(
        push_destination=push_destination,
        served_fingerprint=served_fingerprint,
        code_digest=digest("components.baseline_finder.executor"),
    )
    data_gate = DataGate(
        examples=examples.outputs["examples"],
        statistics=statistics.outputs["statistics"],
        anomalies=validator.outputs["anomalies"],
        baseline=baseline.outputs["baseline"],
        settings=recipe.data_gate,
        code_digest=digest("components.data_gate.executor"),
    )
    transform = Transform(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn=f"{PREPROCESSING}.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=[features.TRAIN]),
        materialize=False,
        disable_statistics=True,
        custom_config={
            SETTINGS_KEY: recipe.transform.model_dump_json(),
            "code_digest": digest(PREPROCESSING),
        },
    )
    trainer = Trainer(
        examples=examples.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        run_fn=f"{TRAINING}.run_fn",
        train_args=trainer_pb2.TrainArgs(splits=[features.TRAIN, *unlabelled]),
        eval_args=trainer_pb2.EvalArgs(splits=[features.VALIDATION]),
        custom_config={
            SETTINGS_KEY: recipe.trainer.model_dump_json(),
            "weights_fingerprint": weights_fingerprint,
            "teacher_fingerprint": teacher_fingerprint,
            "code_digest": digest(TRAINING),
        },
    )
    # No training on data that are wrong. By order alone: as an input, what is served would be part
    # of the Trainer's cache key.
    trainer.add_upstream_node(data_gate)
    evaluator = Evaluator(
        examples=examples.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["baseline"],
        settings=recipe.evaluation,
        example_splits=[features.TEST],
        code_digest=digest("components.evaluator.executor"),
    )
    serving_gate = ServingGate(
        model=trainer.outputs["model"],
        examples=examples.outputs["examples"],
        settings=recipe.serving_gate,
        split=features.TEST,
        code_digest=digest("components.serving_gate.executor", SERVING_CLIENT),
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_gate.outputs["infra_blessing"],
        data_blessing=data_gate.outputs["data_blessing"],
        baseline=baseline.outputs["baseline"],
        push_destination=push_destination,
        signing_key=recipe.push.sign.key if recipe.push.sign else "",
        allow_taken_back=recipe.push.allow_taken_back,
        provenance=provenance,
        most_candidates=recipe.evaluation.most_candidates,
        code_digest=digest("components.pusher.executor"),
    )
    page = Report(
        data_blessing=data_gate.outputs["data_blessing"],
        model_run=trainer.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_gate.outputs["infra_blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        make=report,
        provenance=provenance,
    )
    return Pipeline(
        pipeline_name=recipe.name,
        pipeline_root=pipeline_root,
        components=[
            examples,
            statistics,
            schema,
            validator,
            baseline,
            data_gate,
            transform,
            trainer,
            evaluator,
            serving_gate,
            pusher,
            *([page] if report else ()),
        ],
        enable_cache=True,
        beam_pipeline_args=list(beam_pipeline_args),
    )
