"""Small copies of pictures; how whole ones are read is in `example_gen/inspection`."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from components import contact_sheet
from components.contact_sheet import Section, Tile
from components.pillow_pictures import orientation_exif, small_copy

pytestmark = pytest.mark.one_line


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_they_are_upright_and_in_colour():
    exif = Image.Exif()
    exif[0x0112] = 6
    copy = small_copy(encoded(Image.new("L", (30, 10), 100), "JPEG", exif=exif), 128)
    assert (copy.size, copy.mode) == ((10, 30), "RGB"), "and no larger than the picture"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_no_exif_turns_no_picture(kind):
    """Pillow looks there too; browsers do not, nor does the graph that is served."""
    xmp = '<rdf:Description tiff:Orientation="6"/>'
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp)
    exif = Image.Exif()
    exif[0x010F] = "a camera"  # JPEG: Pillow then looks for the resolution, and all the rest
    options = {"pnginfo": text} if kind == "PNG" else {"xmp": xmp.encode(), "exif": exif}
    data = encoded(Image.new("RGB", (30, 10)), kind, **options)
    assert b"tiff:Orientation" in data and small_copy(data, 128).size == (30, 10)


def test_of_16_bits_the_brightness_is_kept():
    grey = Image.fromarray(np.full((8, 8), 100 * 256, np.uint16))
    assert small_copy(encoded(grey), 128).getpixel((0, 0)) == (100, 100, 100)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_of_a_large_picture_a_small_one_is_held(kind):
    assert small_copy(encoded(Image.new("RGB", (600, 300)), kind), 128).size == (128, 64)


def test_a_picture_of_very_many_pixels_is_shown_without_a_warning(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert small_copy(encoded(Image.new("RGB", (15, 10))), 128).size == (15, 10)


@pytest.mark.parametrize(
    ("byte_order", "begins"), [("<", b"Exif\0\0II*\0"), (">", b"Exif\0\0MM\0*")]
)
def test_an_orientation_is_written_in_either_byte_order(byte_order, begins):
    data = orientation_exif(6, byte_order)
    exif = Image.Exif()
    exif.load(data)
    assert data.startswith(begins) and dict(exif) == {0x0112: 6}


@pytest.mark.parametrize("size", [(2000, 3), (3, 2000)])
def test_however_long_a_picture_is_it_has_two_sides_and_can_be_drawn(size):
    copy = small_copy(encoded(Image.new("RGB", size)), 128)
    assert sorted(copy.size) == [1, 128]
    contact_sheet.draw("", [Section("", [Tile(copy)])])
