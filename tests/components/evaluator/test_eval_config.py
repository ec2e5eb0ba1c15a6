"""The bounds that TFMA is given."""

import pytest
import tensorflow_model_analysis as tfma

from components.evaluator.config import METRICS, EvaluationSettings
from components.evaluator.eval_config import make_eval_config


def thresholds(settings: EvaluationSettings, has_baseline: bool) -> dict:
    """What TFMA makes of the bounds: (metric, is it a change, per label) to the threshold."""
    config = tfma.utils.update_eval_config_with_defaults(
        make_eval_config(settings), has_baseline=has_baseline, rubber_stamp=True
    )
    tfma.utils.verify_eval_config(config)
    found = tfma.metrics.metric_thresholds_from_metrics_specs(config.metrics_specs, config)
    return {
        (key.name, key.is_diff, tuple(spec.feature_keys)): threshold
        for key, bounds in found.items()
        if key.model_name != tfma.BASELINE_KEY
        for spec, threshold in bounds
    }


def test_every_bound_is_tied_to_the_slice_it_is_meant_for():
    settings = EvaluationSettings(
        thresholds=dict.fromkeys(METRICS, 0.9),
        max_drop=dict.fromkeys(METRICS, 0.01),
        min_class_recall=0.5,
    )
    found = thresholds(settings, has_baseline=True)
    assert set(found) == {
        *((name, False, ()) for name in METRICS),
        *((name, True, ()) for name in METRICS),
        ("accuracy", False, ("label",)),
    }
    assert found["auc", False, ()].lower_bound.value == 0.9
    assert found["auc", True, ()].absolute.value == -0.01
    assert found["auc", True, ()].direction == tfma.MetricDirection.HIGHER_IS_BETTER
    assert found["accuracy", False, ("label",)].lower_bound.value == 0.5


def test_without_a_baseline_an_absolute_bound_remains():
    # TFX blesses nothing that has no bound at all, and the Pusher then waits without a word.
    assert set(thresholds(EvaluationSettings(), has_baseline=False)) == {("accuracy", False, ())}


def test_tfx_adds_the_baseline_model_by_itself():
    config = make_eval_config(EvaluationSettings())
    assert [spec.is_baseline for spec in config.model_specs] == [False]
    both = tfma.utils.update_eval_config_with_defaults(config, has_baseline=True)
    assert [spec.name for spec in both.model_specs] == [tfma.CANDIDATE_KEY, tfma.BASELINE_KEY]
    assert [spec.is_baseline for spec in both.model_specs] == [False, True]
    assert {spec.signature_name for spec in both.model_specs} == {"from_examples"}


@pytest.mark.parametrize("top_k", [2, 5])
def test_top_k_is_passed_on(top_k):
    config = make_eval_config(EvaluationSettings(top_k=top_k))
    (metric,) = (
        metric
        for spec in config.metrics_specs
        for metric in spec.metrics
        if metric.class_name == "SparseTopKCategoricalAccuracy"
    )
    assert f'"k": {top_k}' in metric.config
