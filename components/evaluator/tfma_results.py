"""Turns TFMA's records into the gates and metrics that people read."""

import json
from typing import NamedTuple

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2

from components.evaluator.metrics import precision_per_class, recall_per_class
from components.evaluator.results import Metrics
from components.gates import Gate, Verdict, verdict

CONFUSION_MATRIX = "confusion_matrix"


class _Key(NamedTuple):
    """Which number of an evaluation. `label` None: over all pictures, else over one class'."""

    name: str
    label: str | None = None
    model: str = tfma.CANDIDATE_KEY
    is_diff: bool = False


def make_gates(evaluation: str, eval_config: config_pb2.EvalConfig, note: str) -> list[Gate]:
    """One row per bound of `eval_config`.

    Args:
        evaluation: folder that TFMA wrote.
        eval_config: the bounds as asked for. TFMA's own copy lacks those against the served model
            where there is none.
        note: why the model was not compared with a served one; empty if it was.
    """
    values, failed = _read_values(evaluation), _read_failures(evaluation)
    gates = []
    for spec in eval_config.metrics_specs:
        for metric in spec.metrics:
            name = json.loads(metric.config)["name"]
            for bound in metric.per_slice_thresholds:
                threshold = bound.threshold
                if bound.slicing_specs[0].feature_keys:
                    gates.append(_class_gate(name, threshold, values, failed))
                    continue
                if threshold.HasField("value_threshold"):
                    gates.append(_value_gate(name, threshold, values, failed))
                if threshold.HasField("change_threshold"):
                    gates.append(_change_gate(name, threshold, values, failed, note))
    return gates


def make_metrics(evaluation: str, classes: list[str]) -> Metrics:
    """The metrics of the model and of the served one.

    Args:
        evaluation: folder that TFMA wrote.
        classes: class names, in the order of the model's `probabilities`.
    """
    values = _read_values(evaluation)
    confusion = _read_confusion(evaluation, len(classes))
    columns = zip(
        precision_per_class(confusion).tolist(),
        recall_per_class(confusion).tolist(),
        confusion.sum(axis=1).tolist(),
        strict=True,
    )
    return Metrics(
        classes=classes,
        overall=_overall(values, tfma.CANDIDATE_KEY),
        served=_overall(values, tfma.BASELINE_KEY),
        per_class={
            name: {"precision": precision, "recall": recall, "count": count}
            for name, (precision, recall, count) in zip(classes, columns, strict=True)
        },
        confusion=confusion,
    )


def _value_gate(name, threshold, values, failed) -> Gate:
    key = _Key(name)
    bound = threshold.value_threshold.lower_bound.value
    value = values.get(key)
    message = f"{_shown(value)}, at least {bound:g} wanted"
    return Gate(name, _verdict(key, values, failed), value, bound, message)


def _change_gate(name, threshold, values, failed, note) -> Gate:
    key = _Key(name, is_diff=True)
    bound = threshold.change_threshold.absolute.value
    row = f"{name} against served"
    if note:
        return Gate(row, "warn", None, bound, note)
    value = values.get(key)
    served = _shown(values.get(_Key(name, model=tfma.BASELINE_KEY)))
    message = (
        f"{_shown(values.get(_Key(name)))}, served model {served}, at most {-bound:g} less allowed"
    )
    return Gate(row, _verdict(key, values, failed), value, bound, message)


def _class_gate(name, threshold, values, failed) -> Gate:
    """One row for the bound that every class must keep: its value is that of the worst class."""
    bound = threshold.value_threshold.lower_bound.value
    row = "recall of every class"
    keys = [key for key in values if key.label and key == _Key(name, key.label)]
    if not keys:
        return Gate(row, "fail", None, bound, "no pictures to measure on")
    worst = min(keys, key=values.get)
    passed = all(_verdict(key, values, failed) == "pass" for key in keys)
    message = f"lowest: {worst.label} with {_shown(values[worst])}, at least {bound:g} wanted"
    return Gate(row, verdict(passed), values[worst], bound, message)


def _verdict(key: _Key, values: dict[_Key, float], failed: set[_Key]) -> Verdict:
    """`fail` also where nothing was measured: there is nothing that keeps the bound."""
    return verdict(key in values and key not in failed)


def _shown(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"


def _overall(values: dict[_Key, float], model: str) -> dict[str, float]:
    return {key.name: value for key, value in values.items() if key == _Key(key.name, model=model)}


def _read_values(evaluation: str) -> dict[_Key, float]:
    """All plain numbers of an evaluation."""
    return {
        _key(part.slice_key, metric.key): metric.value.double_value.value
        for part in tfma.load_metrics(evaluation)
        for metric in part.metric_keys_and_values
        if metric.value.HasField("double_value")
    }


def _read_confusion(evaluation: str, classes: int) -> np.ndarray:
    """int64 [classes, classes], number of pictures; rows true, columns predicted."""
    confusion = np.zeros([classes, classes], np.int64)
    for part in tfma.load_metrics(evaluation):
        for metric in part.metric_keys_and_values:
            if _key(part.slice_key, metric.key) == _Key(CONFUSION_MATRIX):
                (matrix,) = metric.value.multi_class_confusion_matrix_at_thresholds.matrices
                for entry in matrix.entries:
                    cell = entry.actual_class_id, entry.predicted_class_id
                    confusion[cell] = round(entry.num_weighted_examples)
    return confusion


def _read_failures(evaluation: str) -> set[_Key]:
    """The numbers that broke their bound."""
    return {
        _key(part.slice_key, failure.metric_key)
        for part in tfma.load_validation_result(evaluation).metric_validations_per_slice
        for failure in part.failures
    }


def _key(
    slice_key: metrics_for_slice_pb2.SliceKey, metric_key: metrics_for_slice_pb2.MetricKey
) -> _Key:
    labels = [single.bytes_value.decode() for single in slice_key.single_slice_keys]
    return _Key(
        metric_key.name,
        labels[0] if labels else None,
        # TFMA names the models only where there are two.
        metric_key.model_name or tfma.CANDIDATE_KEY,
        metric_key.is_diff,
    )
