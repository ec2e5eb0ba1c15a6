"""The curve of a range test as a picture."""

import numpy as np
import pytest
from PIL import Image

from components.trainer import lr_plot
from components.trainer.lr_finder import Curve, suggest

RATES = np.geomspace(1e-6, 1.0, 80)
CURVE = Curve(RATES, 1 - 0.8 / (1 + np.exp(-3 * (np.log10(RATES) + 4))), np.ones(80))


@pytest.mark.parametrize("suggestion", [suggest(CURVE), None])
def test_the_curve_is_a_picture(suggestion, tmp_path):
    path = tmp_path / "new folder" / "curve.png"
    lr_plot.draw(CURVE, suggestion, "digits, frozen phase", path)
    with Image.open(path) as picture:
        assert picture.format == "PNG" and min(picture.size) > 400
