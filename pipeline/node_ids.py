"""Names of the pipeline's nodes, which are those of its steps on Kubeflow Pipelines.

TFX names a node after its class; `tests/pipeline` holds these to the wired pipeline.
"""

IMAGE_EXAMPLE_GEN = "ImageExampleGen"
STATISTICS_GEN = "StatisticsGen"
IMPORT_SCHEMA_GEN = "ImportSchemaGen"
EXAMPLE_VALIDATOR = "ExampleValidator"
DATA_GATE = "DataGate"
TRANSFORM = "Transform"
TRAINER = "Trainer"
BASELINE_FINDER = "BaselineFinder"
EVALUATOR = "Evaluator"
SERVING_GATE = "ServingGate"
PUSHER = "Pusher"

PROBE = "Probe"
"""A step of packages alone: it looks at what lies outside of a run."""

REPORT = "Report"
"""A node of packages alone: on this machine the page is made when a run has ended, however it did,
with what the runner knows of its nodes."""

DATA_VERDICT = "DataVerdict"
"""A step of packages alone: ends a run whose data were refused as failed, before the Trainer."""

VERDICT = "Verdict"
"""A step of packages alone: the last one, which ends a run whose model was refused as failed."""

ALL = (
    IMAGE_EXAMPLE_GEN,
    STATISTICS_GEN,
    IMPORT_SCHEMA_GEN,
    EXAMPLE_VALIDATOR,
    DATA_GATE,
    TRANSFORM,
    TRAINER,
    BASELINE_FINDER,
    EVALUATOR,
    SERVING_GATE,
    PUSHER,
)

# What a display puts together, under these names.
GROUPS = {
    "Data": (
        BASELINE_FINDER,
        IMAGE_EXAMPLE_GEN,
        IMPORT_SCHEMA_GEN,
        STATISTICS_GEN,
        TRANSFORM,
        EXAMPLE_VALIDATOR,
        DATA_GATE,
    ),
    "Training": (TRAINER,),
    "Decision": (EVALUATOR, SERVING_GATE),
    "Serving": (PUSHER,),
}

# The nodes that judge, with the output in which each leaves its rows, in the order of a table.
BLESSINGS = {
    DATA_GATE: "data_blessing",
    EVALUATOR: "blessing",
    SERVING_GATE: "infra_blessing",
    PUSHER: "pushed_model",
}

STEPS = (*ALL, PROBE, DATA_VERDICT, REPORT, VERDICT)
"""Of a package."""
