"""What is drawn where."""

import re

import numpy as np
import pytest

from pipeline.report import charts

HISTORY = {"loss": [3.0, 2.0], "val_loss": [4.0, 5.0], "accuracy": [0.1, 0.2]}


@pytest.fixture
def drawn(monkeypatch):
    """`drawn(method)`: the arguments with which a method of the axes was called."""

    def drawn(method: str) -> list:
        calls, original = [], getattr(charts.Axes, method)

        def noted(axes, *arguments, **options):
            calls.append((*(np.asarray(one).tolist() for one in arguments), options.get("label")))
            return original(axes, *arguments, **options)

        monkeypatch.setattr(charts.Axes, method, noted)
        return calls

    return drawn


def test_curves_are_of_both_splits_and_the_best_epoch_is_counted_from_1(drawn):
    lines, marks = drawn("plot"), drawn("axvline")
    text = charts.curves(HISTORY, best_epoch=1)
    assert lines == [
        ([1, 2], [3.0, 2.0], "train"),
        ([1, 2], [4.0, 5.0], "validation"),
        ([1, 2], [0.1, 0.2], "train"),
    ]
    assert marks == [(2, None)] * 2 and text.count("<svg") == 2
    assert charts.curves(HISTORY | {"learning_rate": [1.0, 1.0]}, 0).count("<svg") == 3


def test_what_is_wrong_is_drawn_over_what_is_answered(drawn):
    lines = drawn("plot")
    charts.risk_coverage([0.5, 1.0], [0.1, 0.2])
    assert lines == [([0.5, 1.0], [0.1, 0.2], None)]


@pytest.mark.parametrize("counts", [[1, 3], [0, 0]])
def test_what_is_right_is_drawn_over_what_is_promised(drawn, counts):
    dots = drawn("scatter")
    charts.calibration(np.array([0.6, 0.9]), np.array([0.5, 0.8]), np.array(counts), "title")
    assert dots == [([0.6, 0.9], [0.5, 0.8], None)]


def test_small_shares_are_brought_out(drawn):
    pictures = drawn("imshow")
    charts.confusion(np.array([[0.04, 0.25], [0.0, 1.0]]))
    assert pictures == [([[0.2, 0.5], [0.0, 1.0]], None)]


@pytest.mark.parametrize(
    ("draw", "across", "up", "names"),
    [
        (
            lambda: charts.curves({"loss": [1.0], "accuracy": [1.0], "learning_rate": [1.0]}, 0),
            "epoch",
            None,
            ["loss of train and validation by epoch", "accuracy of train and validation by epoch",
             "learning rate by epoch"],
        ),
        (
            lambda: charts.risk_coverage([1.0], [0.1]),
            "share of pictures answered",
            "share wrong",
            ["Share of mistakes by the share of pictures that are answered"],
        ),
        (
            lambda: charts.confusion(np.eye(2)),
            "answer",
            "true class",
            ["Confusion matrix: share of each class that gets each answer"],
        ),
        (
            lambda: charts.calibration(np.ones(1), np.ones(1), np.ones(1), "as served"),
            "probability given",
            "share right",
            ["Share of right answers against the probability that was given, as served"],
        ),
    ],
)  # fmt: skip
def test_a_chart_says_what_is_along_its_axes_and_what_it_is_to_those_who_do_not_see_it(
    drawn, draw, across, up, names
):
    labels = [drawn(f"set_{axis}label") for axis in "xy"]
    text = draw()
    assert re.findall('aria-label="([^"]*)"', text) == names
    given = [{label for label, _ in of_axis if label} for of_axis in labels]
    assert given == [{across}, {up} if up else set()]


def test_the_ink_is_that_of_the_text_and_no_time_is_in_it():
    first, again = (charts.risk_coverage([0.5, 1.0], [0.1, 0.2]) for _ in range(2))
    assert first == again and "<dc:date>" not in first
    assert "currentColor" in first and "#010203" not in first
