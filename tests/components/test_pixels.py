"""From encoded pictures to pixels: as Pillow decodes them, upright, large ones at less cost."""

import io
from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from components.pixels import decode, rescale, undo_rescale
from components.settings import ValueRange

SIZE = [24, 40]  # height and width differ, so that a mix-up shows


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def decoded(image):
    return decode(image, SIZE)


def photo(width, height):
    """Smooth, as photos are, and nowhere symmetric."""
    small = np.random.default_rng(1).integers(0, 255, (6, 9, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image, kind="JPEG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def by_pillow(data):
    """The picture as Pillow decodes it upright, through the same resizing."""
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    return tf.image.resize(pixels, SIZE, antialias=True)


def with_orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("value", range(1, 9))
def test_pixels_are_those_of_pillows_upright_picture(kind, value):
    data = encoded(photo(60, 44), kind, exif=with_orientation(value))
    np.testing.assert_allclose(decoded(data), by_pillow(data), atol=1e-3)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (photo(60, 44).convert("L"), {}),
        (photo(60, 44), {"progressive": True}),
        (photo(60, 44), {"subsampling": 0}),
        (photo(60, 44), {"quality": 20}),
    ],
    ids=["grey", "progressive", "4:4:4", "quality 20"],
)
def test_every_kind_of_jpeg_is_decoded_as_pillow_does(image, options):
    data = encoded(image, **options)
    np.testing.assert_allclose(decoded(data), by_pillow(data), atol=1e-3)


def test_a_gif_gives_its_first_frame():
    frames = [photo(50, 30), ImageOps.mirror(photo(50, 30))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(decoded(data), by_pillow(data), atol=1e-3)


@pytest.mark.parametrize(
    ("width", "height", "ratio"),
    [(159, 96, 1), (160, 95, 1), (160, 96, 2), (320, 192, 4), (640, 384, 8), (2000, 1900, 8)],
)
@pytest.mark.parametrize("value", [1, 6])
def test_a_large_jpeg_is_decoded_at_the_scale_that_leaves_twice_the_size(
    width, height, ratio, value, monkeypatch
):
    image = photo(width, height)
    if value == 6:  # stored on its side: what was the width is the height
        image = image.transpose(Image.Transpose.ROTATE_90)
    data = encoded(image, quality=95, exif=with_orientation(value))
    ratios = []
    decode_jpeg = tf.io.decode_jpeg

    def watched(image, **options):
        ratios.append(options["ratio"])
        return decode_jpeg(image, **options)

    monkeypatch.setattr(tf.io, "decode_jpeg", watched)
    pixels = decode(tf.constant(data), SIZE)  # eager: of the four only the one that is taken runs
    assert ratios == [ratio]
    np.testing.assert_allclose(pixels, by_pillow(data), atol=4.0)
    assert np.abs(pixels - by_pillow(data)).mean() < 0.5


@pytest.mark.parametrize("side", [60, 1000])
def test_half_a_jpeg_is_an_error_at_every_scale(side):
    data = encoded(photo(side, side))
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoded(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("mode", "options"),
    [("RGB", {"progressive": True}), ("RGB", {"subsampling": 0}), ("CMYK", {}), ("L", {})],
    ids=["progressive", "4:4:4", "CMYK", "grey"],
)
def test_every_kind_of_large_jpeg_is_decoded_at_its_scale(mode, options):
    data = encoded(photo(640, 384).convert(mode), quality=95, **options)
    assert np.abs(decoded(data) - by_pillow(data)).mean() < 1.0


@pytest.mark.parametrize("side", [60, 1000])
def test_a_jpeg_whose_header_promises_more_rows_than_there_are_shows_what_pillow_shows(side):
    """Its end is marked, so that no decoder takes it for half a file: what is missing is grey."""
    data = encoded(photo(side, side))
    frame = data.index(b"\xff\xc0")  # length, precision, height
    lying = data[: frame + 5] + (2 * side).to_bytes(2, "big") + data[frame + 7 :]
    assert np.abs(decoded(lying) - by_pillow(lying)).mean() < 1.0


@pytest.mark.parametrize(
    ("name", "value_range"),
    [("mobilenet_v2", "tf"), ("densenet", "torch"), ("resnet", "caffe"), ("efficientnet", "raw")],
)
def test_every_value_range_is_that_of_keras_own_preprocessing(name, value_range):
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 4, 3)).astype(np.float32)
    expected = getattr(keras.applications, name).preprocess_input(pixels.copy())
    ours = rescale(tf.constant(pixels), value_range)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_the_unit_range_goes_from_black_0_to_white_1():
    pixels = tf.constant([[[0.0, 51.0, 255.0]]])
    np.testing.assert_allclose(rescale(pixels, "unit"), [[[0.0, 0.2, 1.0]]])


@pytest.mark.parametrize("value_range", get_args(ValueRange))
def test_rescaling_can_be_undone(value_range):
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 5, 4, 3)).astype(np.float32)
    rescaled = rescale(tf.constant(pixels), value_range).numpy()
    np.testing.assert_allclose(undo_rescale(rescaled, value_range), pixels, atol=1e-3)
