"""What is drawn where."""

import re

import numpy as np
import pytest

from pipeline.report import charts

HISTORY = {"loss": [3.0, 2.0], "val_loss": [4.0, 5.0], "accuracy": [0.1, 0.2]}


@pytest.fixture
def drawn(monkeypatch):
    """`drawn(method)`: the arguments with which a method of the axes was called, and a label."""

    def drawn(method: str, told: str = "label") -> list:
        calls, original = [], getattr(charts.Axes, method)

        def noted(axes, *arguments, **options):
            calls.append((*(np.asarray(one).tolist() for one in arguments), options.get(told)))
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
    assert words(text) >= {"loss", "accuracy", "train", "validation"}
    assert words(text) >= {"1", "2"}, "there is no epoch 1.5"
    text = charts.curves(HISTORY | {"learning_rate": [1.0, 1.0]}, 0)
    assert text.count("<svg") == 3 and "learning rate" in words(text)
    assert 0.0 in numbers(text), "a rate that is the same stays away from the bottom"


def test_a_phase_that_has_no_numbers_has_empty_curves():
    nothing = [float("nan")] * 2
    assert charts.curves(dict.fromkeys(("loss", "val_loss", "accuracy"), nothing), 0)


def words(text: str) -> set[str]:
    """What stands in charts."""
    return set(re.findall(r"<text [^>]*>([^<]*)</text>", text))


def numbers(text: str) -> set[float]:
    """The numbers among these words."""
    return {float(one) for one in words(text) if re.fullmatch(r"[0-9.]+", one)}


def test_what_is_wrong_is_drawn_over_what_is_answered(drawn):
    lines = drawn("plot")
    text = charts.risk_coverage([0.5, 1.0], [0.1, 0.11])
    assert lines == [([0.5, 1.0], [0.1, 0.11], None)]
    assert 0.0 in numbers(text.partition('id="matplotlib.axis_2"')[2]), "a share begins at none"


def test_what_is_right_is_drawn_over_what_is_promised(drawn):
    dots, lines = drawn("scatter"), drawn("plot")
    text = charts.calibration(np.array([0.6, 0.9]), np.array([0.5, 0.8]), np.array([1, 3]), "title")
    assert dots == [([0.6, 0.9], [0.5, 0.8], None)]
    assert lines == [([0, 1], [0, 1], None)], "where both are the same"
    assert "title" in words(text) and {0.0, 1.0} <= numbers(text)


def test_a_large_dot_stands_for_many_pictures_and_the_largest_is_no_larger_in_a_large_split(drawn):
    dots = drawn("scatter", told="s")
    for counts in ([0, 0], [1, 3], [100, 300]):
        charts.calibration(np.array([0.6, 0.9]), np.array([0.5, 0.8]), np.array(counts))
    (*_, none), (*_, few), (*_, many) = dots
    assert none[0] == none[1] and few.tolist() == many.tolist() and few[0] < few[1] < 200


def test_small_shares_are_brought_out(drawn):
    pictures = drawn("imshow")
    text = charts.confusion(np.array([[0.04, 0.25], [0.01, 0.09]]))
    assert pictures == [([[0.2, 0.5], [0.1, 0.3]], None)]
    assert words(text) >= {"0", "0.01", "0.1", "1"}, "whatever there is, the scale is the same"


def test_a_picture_of_many_classes_is_small():
    assert len(charts.confusion(np.random.default_rng(0).random((300, 300)))) < 1_000_000


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
    assert first.startswith('<svg role="img" ') and "#ffffff" not in first, "nothing is behind it"
