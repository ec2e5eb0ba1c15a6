"""What the classes of a model mean for its evaluation."""

import os

import tensorflow_model_analysis as tfma

from components.classes import read_classes


def why_not_comparable(candidate: list[str], baseline: str | os.PathLike) -> str:
    """Says why the model in the folder `baseline` cannot be compared with one of other classes.

    Returns:
        One line; empty if both know the same classes. The order does not matter: each model is
        scored with its own numbering.
    """
    try:
        served = read_classes(baseline)
    except ValueError as error:
        return f"served model not compared: {error}"
    if set(served) == set(candidate):
        return ""
    new = ", ".join(sorted(set(candidate) - set(served))) or "none"
    gone = ", ".join(sorted(set(served) - set(candidate))) or "none"
    return f"served model not compared, it knows other classes (new: {new}; gone: {gone})"


def with_classes(eval_config: tfma.EvalConfig, classes: int) -> tfma.EvalConfig:
    """Copy of `eval_config` whose macro averages go over `classes` classes, each of weight 1."""
    filled = tfma.EvalConfig()
    filled.CopyFrom(eval_config)
    for spec in filled.metrics_specs:
        if spec.aggregate.macro_average:
            spec.aggregate.class_weights.update({number: 1.0 for number in range(classes)})
    return filled
