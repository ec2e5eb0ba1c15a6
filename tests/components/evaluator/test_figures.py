"""The line that the Evaluator ends with."""

from types import SimpleNamespace

import numpy as np
import pytest

from components.evaluator import figures, results

pytestmark = pytest.mark.one_line


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, ""),
        (
            {"share_sure": 0.9, "accuracy_when_sure": 0.99},
            "; sure of 0.9000, with accuracy 0.9900",
        ),
        (
            {"label_set_coverage": 0.95, "label_set_size": 1.25},
            "; in the label set 0.9500, of 1.25 classes",
        ),
        (
            {
                **{"share_sure": 0.9, "accuracy_when_sure": 0.99},
                **{"label_set_coverage": 0.95, "label_set_size": 1.25},
            },
            "; sure of 0.9000, with accuracy 0.9900; in the label set 0.9500, of 1.25 classes",
        ),
    ],
)
def test_accuracy_and_how_sure_the_model_is(tmp_path, more, told):
    overall = {"accuracy": 0.75, "example_count": 1234.0, **more}
    metrics = results.Metrics(["a"], overall, {}, {}, np.zeros([1, 1], np.int64))
    results.write_metrics(tmp_path, metrics)
    line = figures.describe({"evaluation": [SimpleNamespace(uri=tmp_path)]})
    assert line == f"test accuracy 0.7500 of 1,234 pictures{told}"
