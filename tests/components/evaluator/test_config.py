"""Settings of the Evaluator."""

import pytest

from components.evaluator.config import EvaluationSettings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"thresholds": {"acuracy": 0.9}}, "unknown metric acuracy, did you mean accuracy"),
        ({"max_drop": {"zzz": 0.1}}, r"unknown metric zzz \(known: accuracy, top_k_accuracy"),
        ({"thresholds": {"accuracy": 1.1}}, "thresholds.accuracy\n.*less than or equal to 1"),
        ({"max_drop": {"auc": -0.1}}, "max_drop.auc\n.*greater than or equal to 0"),
        ({"min_class_recall": 2}, "min_class_recall\n.*less than or equal to 1"),
        ({"top_k": 1}, "top_k\n.*greater than or equal to 2"),
        ({"thresholds": {}}, "thresholds must name at least one metric"),
        ({"threshold": {}}, "threshold\n.*Extra inputs"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        EvaluationSettings(**settings)


def test_one_bound_is_enough():
    assert EvaluationSettings(thresholds={}, min_class_recall=0.1).thresholds == {}
