"""The curve of a range test as a picture."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from components.trainer import lr_plot
from components.trainer.lr_finder import Curve, suggest

RATES = np.geomspace(1e-6, 1.0, 80)
CURVE = Curve(RATES, 1 - 0.8 / (1 + np.exp(-3 * (np.log10(RATES) + 4))), np.ones(80))


def test_the_curve_is_a_picture_also_where_no_rate_is_suggested(tmp_path):
    path = tmp_path / "new" / "folder" / "curve.png"
    lr_plot.draw(CURVE, None, "digits, frozen phase", path)
    with Image.open(path) as picture:
        assert picture.format == "PNG" and min(picture.size) > 400


def test_both_rates_are_marked_and_the_divergence_does_not_squeeze_the_curve(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, dpi: drawn.append(figure))
    diverged = Curve(RATES, np.where(RATES > 0.5, 50.0, CURVE.losses), CURVE.untrained)
    found = suggest(CURVE)
    lr_plot.draw(diverged, found, "digits, frozen phase", tmp_path / "curve.png")
    (axes,) = drawn[0].axes
    assert axes.get_title() == "Learning rate range test: digits, frozen phase"
    assert axes.get_xscale() == "log"
    losses, smoothed, *marks = axes.lines
    np.testing.assert_array_equal(losses.get_ydata(), diverged.losses)
    np.testing.assert_array_equal(smoothed.get_ydata(), diverged.smoothed)
    assert [(mark.get_xdata()[0], mark.get_label()) for mark in marks] == [
        (found.steepest, f"{found.steepest:.1e}, where it falls fastest"),
        (found.safe, f"{found.safe:.1e}, a tenth of where it is lowest"),
    ]
    assert axes.get_ylim() == pytest.approx((0, 1.4 * diverged.smoothed.max()))
