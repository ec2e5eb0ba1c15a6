"""Outputs of the step Report in which the pages of Kubeflow Pipelines show a run's evidence.

TFX has no types for them: the compiler adds them, and the step's entrypoint fills them.
"""

TITLE = "system."
"""How the schema titles of the backend's own types begin."""

PAGE, METRICS, CLASS_METRICS, CLASSIFICATION = "page", "metrics", "class_metrics", "classification"

TYPES = {
    PAGE: "system.HTML",
    METRICS: "system.Metrics",
    CLASS_METRICS: "system.Metrics",
    CLASSIFICATION: "system.ClassificationMetrics",
}
"""Schema title by output."""

SCHEMA_VERSION = "0.0.1"
