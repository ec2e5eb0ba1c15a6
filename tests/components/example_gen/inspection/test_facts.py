import dataclasses
import io

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageFilter, ImageOps

from components.example_gen.inspection.facts import Facts, measure, reduced
from components.example_gen.inspection.picture import Picture
from components.example_gen.inspection.pictures import check_picture


def _facts(pixels: np.ndarray, orientation: int = 1) -> Facts:
    picture = Picture(b"", np.ascontiguousarray(pixels), pixels.shape[1::-1], "PNG", orientation)
    return measure(reduced(picture), picture, 1234)


def _plain(*colour: int, height: int = 30, width: int = 40) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def test_a_plain_picture():
    assert dataclasses.asdict(_facts(_plain(90, 90, 90))) == pytest.approx(
        {
            "width": 40,
            "height": 30,
            "bytes": 1234,
            "format": "PNG",
            "orientation": 1,
            "brightness": 90,
            "contrast": 0,
            "sharpness": 0,
            "aspect": 4 / 3,
            "colourfulness": 0,
        }
    )


def test_half_black_half_white():
    pixels = _plain(0, 0, 0)
    pixels[:15] = 255
    facts = _facts(pixels)
    assert (facts.brightness, facts.contrast) == (127.5, 127.5)


def test_colourfulness_of_pure_colours():
    # Hasler & Suesstrunk by hand: red-green is 255, yellow-blue 127.5; no deviation.
    assert _facts(_plain(255, 0, 0)).colourfulness == pytest.approx(0.3 * np.hypot(255, 127.5))
    # Half red, half green: red-green is 255 or -255, yellow-blue always 127.5.
    pixels = _plain(255, 0, 0)
    pixels[:15] = (0, 255, 0)
    assert _facts(pixels).colourfulness == pytest.approx(255 + 0.3 * 127.5)


@settings(max_examples=25, deadline=None)
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3))),
)
def test_small_pictures_are_measured_as_the_definitions_say(pixels):
    facts = _facts(pixels)
    red, green, blue = np.moveaxis(pixels.astype(float), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert facts.colourfulness == pytest.approx(expected, abs=0.01)
    grey = np.asarray(Image.fromarray(pixels).convert("L"), float)
    assert facts.brightness == pytest.approx(grey.mean(), abs=0.01)
    assert facts.contrast == pytest.approx(grey.std(), abs=0.01)
    inner = scipy.ndimage.laplace(grey)[1:-1, 1:-1]
    assert facts.sharpness == pytest.approx(inner.var() if inner.size else 0, rel=1e-4, abs=0.01)


def test_blur_is_less_sharp(smooth_image):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (100, 100, 3), dtype=np.uint8))
    blurred = noise.filter(ImageFilter.GaussianBlur(2))
    assert _facts(np.asarray(blurred)).sharpness < _facts(np.asarray(noise)).sharpness / 10


def test_large_pictures_are_measured_at_a_network_s_size():
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (118, 112, 3), dtype=np.uint8))
    large = small.resize((112 * 8, 118 * 8), Image.Resampling.NEAREST)
    of_small, of_large = _facts(np.asarray(small)), _facts(np.asarray(large))
    assert (of_large.width, of_large.height) == (896, 944)
    for name in ("brightness", "contrast", "sharpness", "colourfulness"):
        assert getattr(of_large, name) == pytest.approx(getattr(of_small, name), rel=1e-3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_facts_are_those_of_the_upright_picture(smooth_image, encode, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(smooth_image(3, 60, 40), "JPEG", exif=exif.tobytes(), quality=95)
    picture = check_picture(data, 10**6)
    facts = measure(reduced(picture), picture, len(data))
    assert (facts.orientation, facts.format) == (orientation, "JPEG")
    assert (facts.width, facts.height) == ((40, 60) if orientation > 4 else (60, 40))
    with Image.open(io.BytesIO(data)) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"), int)
    assert np.abs(np.asarray(reduced(picture), int) - upright).mean() < 3


def test_a_converted_format_says_how_its_file_was_stored(smooth_image, encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(smooth_image(1, 40, 30), "WEBP", exif=exif.tobytes())
    picture = check_picture(data, 10**6)
    facts = measure(reduced(picture), picture, len(data))
    assert (facts.orientation, facts.format, facts.bytes) == (6, "WEBP", len(data))
    assert (facts.width, facts.height) == (30, 40) == reduced(picture).size


def test_a_tall_picture_is_less_wide_than_high():
    assert _facts(_plain(9, 9, 9, height=40, width=10)).aspect == 0.25


def test_a_large_jpeg_has_the_facts_of_the_same_pixels_in_a_png(smooth_image, encode):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (250, 200, 3), dtype=np.uint8))
    image = Image.blend(smooth_image(1, 920, 1150), noise.resize((920, 1150)), 0.3)
    of_jpeg, of_png = (
        measure(reduced(picture), picture, 1)
        for picture in (
            check_picture(encode(image, kind, **how), 10**7)
            for kind, how in (("JPEG", {"quality": 98}), ("PNG", {}))
        )
    )
    assert (of_jpeg.width, of_jpeg.height) == (of_png.width, of_png.height) == (920, 1150)
    for name in ("brightness", "contrast", "sharpness", "colourfulness"):
        assert getattr(of_jpeg, name) == pytest.approx(getattr(of_png, name), rel=0.02), name


def test_a_long_picture_is_made_smaller_by_its_area_and_not_by_its_longer_side():
    pixels = np.zeros((28, 448, 3), np.uint8)  # as large as 112 x 112
    picture = Picture(b"", pixels, (448, 28), "PNG", 1)
    assert reduced(picture).size == (448, 28)
