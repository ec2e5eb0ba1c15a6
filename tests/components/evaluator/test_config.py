"""Settings of the Evaluator."""

import math

import pytest

from components.evaluator.config import EvaluationSettings
from pipeline.config import RecipeError, load_recipe

pytestmark = pytest.mark.one_line


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"thresholds": {"acuracy": 0.9}}, r"unknown metric acuracy \(did you mean `accuracy`\?\)"),
        ({"thresholds": {"zzz": 0.1}}, "unknown metric zzz; known: accuracy, top_k_accuracy"),
        ({"thresholds": {"accuracy": 0.5, "zzz": 0.1}}, "unknown metric zzz; known: accuracy"),
        ({"most_candidates": 0}, "most_candidates\n.*greater than or equal to 1"),
        ({"thresholds": {"accuracy": 1.1}}, "thresholds.accuracy\n.*less than or equal to 1"),
        ({"thresholds": {"accuracy": math.nan}}, "thresholds.accuracy\n.*finite number"),
        ({"thresholds": {"accuracy": math.inf}}, "thresholds.accuracy\n.*finite number"),
        ({"confidence": 1.0}, "confidence\n.*less than 1"),
        ({"confidence": 0.0}, "confidence\n.*greater than 0"),
        ({"min_class_recall": 2}, "min_class_recall\n.*less than or equal to 1"),
        ({"top_k": 1}, "top_k\n.*greater than or equal to 2"),
        ({"thresholds": {}}, "thresholds must name at least one metric"),
        ({"threshold": {}}, "threshold\n.*Extra inputs"),
        ({"min_slice_accuracy": 0.5}, "slices must name at least one column"),
        ({"proved_as_good": {"per_slice": 0.1}}, "slices must name at least one column"),
        ({"max_drop": {}}, "max_drop is no longer a setting"),
        ({"too_few": "pass"}, "too_few\n.*'fail' or 'warn'"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        EvaluationSettings(**settings)


@pytest.mark.parametrize("recall", [0.0, 0.1])
def test_one_bound_is_enough(recall):
    assert EvaluationSettings(thresholds={}, min_class_recall=recall).thresholds == {}


@pytest.mark.parametrize("bound", [{"min_slice_accuracy": 0}, {"proved_as_good": {"per_slice": 0}}])
def test_a_bound_of_0_on_every_slice_needs_slices_too(bound):
    with pytest.raises(ValueError, match="slices must name at least one column"):
        EvaluationSettings(**bound)


def test_the_old_key_says_what_to_write_instead():
    with pytest.raises(RecipeError) as error:
        load_recipe("digits", ["evaluation.max_drop.accuracy=0.01"])
    assert str(error.value) == (
        "evaluation: max_drop is no longer a setting: a drop on the test split alone proves "
        "nothing. Take it out (`not_proved_worse: true` is the default), or write `proved_as_good: "
        "{overall: 0.01}` for a model that is proved to be at most 0.01 worse"
    )
