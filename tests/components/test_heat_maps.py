"""Heat maps over pictures."""

import numpy as np
import pytest
from PIL import Image

from components.heat_maps import overlay

pytestmark = pytest.mark.one_line


def test_the_glow_is_where_the_map_is_and_the_rest_is_the_picture_in_grey():
    picture = Image.new("RGB", (60, 40), (200, 30, 30))
    heat = np.zeros((4, 6), np.float32)
    heat[3, 5] = 1.0
    over = np.asarray(overlay(picture, heat), int)
    assert over.shape == (40, 60, 3)
    assert set(over[5, 5]) == {picture.convert("L").getpixel((5, 5))}, "grey, as bright as it is"
    grown = over.sum(axis=2) - over[5, 5].sum()
    row, column = np.unravel_index(grown.argmax(), grown.shape)
    assert row >= 30 and column >= 50


def test_also_where_the_map_is_hottest_the_picture_is_seen():
    black, white = (overlay(Image.new("L", (4, 4), grey), np.ones((2, 2))) for grey in (0, 255))
    difference = np.asarray(white, int) - np.asarray(black, int)
    assert np.all(difference > 64), "a quarter of the brightness at least"


def test_a_map_that_is_not_finite_is_a_grey_picture():
    picture = Image.new("L", (8, 8), 100)
    heat = np.full((2, 2), np.nan)
    heat[0, 0] = np.inf
    assert np.all(np.asarray(overlay(picture, heat)) == 100)


def test_between_the_points_of_a_map_nothing_is_hotter_than_the_hottest():
    """Bicubic interpolation shoots over; a byte would then begin anew at 0."""
    picture = Image.new("L", (64, 64), 255)
    heat = np.zeros((4, 4), np.float32)
    heat[:, 2:] = 1.0
    over = np.asarray(overlay(picture, heat), int)
    assert over.min() >= 80, "white and the brightest colour make nothing dark"
    dark = Image.new("L", (64, 64), 0)
    hottest = np.asarray(overlay(dark, np.ones((4, 4)))).max()
    assert np.asarray(overlay(dark, heat)).max() == hottest
