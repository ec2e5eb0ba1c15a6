"""What TFMA measures. It decides nothing: its thresholds see a number, never what it proves."""

import json

from tensorflow_model_analysis.proto import config_pb2

from components import features


def make_eval_config(top_k: int) -> config_pb2.EvalConfig:
    """The evaluation of one model on one split, over all pictures and over those of each class.

    Args:
        top_k: of `top_k_accuracy`.
    """

    def metric(class_name: str, name: str, **config) -> config_pb2.MetricConfig:
        return config_pb2.MetricConfig(
            class_name=class_name, config=json.dumps({"name": name, **config})
        )

    metrics = config_pb2.MetricsSpec(
        metrics=[
            metric("ExampleCount", "example_count"),
            metric("SparseCategoricalCrossentropy", "loss"),
            metric("SparseCategoricalAccuracy", "accuracy"),
            metric("SparseTopKCategoricalAccuracy", "top_k_accuracy", k=top_k),
            # At threshold 0 the most probable class counts as predicted, however unsure.
            metric("MultiClassConfusionMatrixAtThresholds", "confusion_matrix", thresholds=[0.0]),
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
        slicing_specs=[
            config_pb2.SlicingSpec(),
            config_pb2.SlicingSpec(feature_keys=[features.LABEL]),
        ],
        metrics_specs=[metrics],
    )
