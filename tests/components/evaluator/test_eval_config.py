"""What TFMA is told to measure."""

import pytest
import tensorflow_model_analysis as tfma

from components.evaluator.eval_config import make_eval_config


def test_tfma_decides_nothing():
    config = make_eval_config(3)
    assert not tfma.metrics.metric_thresholds_from_metrics_specs(config.metrics_specs, config)


def test_tfma_adds_the_baseline_model_by_itself():
    config = make_eval_config(3)
    assert [spec.is_baseline for spec in config.model_specs] == [False]
    both = tfma.utils.update_eval_config_with_defaults(config, has_baseline=True)
    tfma.utils.verify_eval_config(both)
    assert [spec.name for spec in both.model_specs] == [tfma.CANDIDATE_KEY, tfma.BASELINE_KEY]
    assert [spec.is_baseline for spec in both.model_specs] == [False, True]
    assert {spec.signature_name for spec in both.model_specs} == {"from_examples"}


@pytest.mark.parametrize("top_k", [2, 5])
def test_top_k_is_passed_on(top_k):
    (metric,) = (
        metric
        for spec in make_eval_config(top_k).metrics_specs
        for metric in spec.metrics
        if metric.class_name == "SparseTopKCategoricalAccuracy"
    )
    assert f'"k": {top_k}' in metric.config
