"""What TFMA measures and which bounds it holds the model against."""

import json

from tensorflow_model_analysis.proto import config_pb2

from components import features
from components.evaluator.config import EvaluationSettings

_OWN_METRICS = "components.evaluator.metrics"
# Thresholds are tied to slices: TFMA holds a plain one against every slice, so that the bound on
# the overall accuracy would be asked of each single class.
_OVERALL = config_pb2.SlicingSpec()
_PER_CLASS = config_pb2.SlicingSpec(feature_keys=[features.LABEL])


def make_eval_config(settings: EvaluationSettings) -> config_pb2.EvalConfig:
    """The evaluation of one model on one split, and its bounds."""

    def metric(class_name: str, name: str, module: str = "", **config) -> config_pb2.MetricConfig:
        return config_pb2.MetricConfig(
            class_name=class_name,
            module=module,
            config=json.dumps({"name": name, **config}),
            per_slice_thresholds=_thresholds(settings, name),
        )

    metrics = config_pb2.MetricsSpec(
        metrics=[
            metric("ExampleCount", "example_count"),
            metric("SparseCategoricalCrossentropy", "loss"),
            metric("SparseCategoricalAccuracy", "accuracy"),
            metric("SparseTopKCategoricalAccuracy", "top_k_accuracy", k=settings.top_k),
            # At threshold 0 the most probable class counts as predicted, however unsure.
            metric("MultiClassConfusionMatrixAtThresholds", "confusion_matrix", thresholds=[0.0]),
            metric("MacroPrecision", "macro_precision", _OWN_METRICS),
            metric("MacroRecall", "macro_recall", _OWN_METRICS),
            metric("MacroAuc", "auc", _OWN_METRICS),
        ]
    )
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name=features.EXAMPLES_SIGNATURE,
                prediction_key=features.PROBABILITIES,
                label_key=features.transformed_name(features.LABEL),
                preprocessing_function_names=[features.TRANSFORM_SIGNATURE],
            )
        ],
        slicing_specs=[_OVERALL, _PER_CLASS],
        metrics_specs=[metrics],
    )


def _thresholds(
    settings: EvaluationSettings, name: str
) -> list[config_pb2.PerSliceMetricThreshold]:
    """Bounds of one metric: absolute, against the served model, and per class."""
    overall = config_pb2.MetricThreshold()
    if name in settings.thresholds:
        overall.value_threshold.lower_bound.value = settings.thresholds[name]
    if name in settings.max_drop:
        overall.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
        overall.change_threshold.absolute.value = -settings.max_drop[name]
    bounds = [(_OVERALL, overall)]
    if name == "accuracy" and settings.min_class_recall is not None:
        # Among the pictures of one class, accuracy is that class' recall.
        per_class = config_pb2.MetricThreshold()
        per_class.value_threshold.lower_bound.value = settings.min_class_recall
        bounds.append((_PER_CLASS, per_class))
    return [
        config_pb2.PerSliceMetricThreshold(slicing_specs=[spec], threshold=bound)
        for spec, bound in bounds
        if bound.ByteSize()
    ]
