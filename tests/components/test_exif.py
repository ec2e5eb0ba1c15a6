"""The orientation that a camera wrote, against what Pillow makes of the same bytes."""

import io
import random
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from components import exif

# How an upright picture is stored so that the orientation makes it upright again.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
ENDS = {"little": "<", "big": ">"}


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def orientation(image):
    return exif.orientation(image)


@tf.function(
    input_signature=[tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([], tf.int32)]
)
def upright(pixels, stored):
    return exif.upright(pixels, stored)


def picture():
    """30 x 20, no two of its eight orientations alike."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8))


def tiff(value, end=">", kind=3, entries=(), ifd=8):
    """A TIFF structure with one IFD: other entries, then the orientation."""
    of_value = struct.pack(f"{end}H2x", value) if kind == 3 else struct.pack(f"{end}I", value)
    table = b"".join(
        struct.pack(f"{end}HHI", tag, of_kind, 1) + data for tag, of_kind, data in entries
    )
    table += struct.pack(f"{end}HHI", 0x0112, kind, 1) + of_value
    magic = b"II*\0" if end == "<" else b"MM\0*"
    count = struct.pack(f"{end}H", len(entries) + 1)
    return magic + struct.pack(f"{end}I", ifd) + count + table + b"\0\0\0\0"


def segment(marker, payload):
    return struct.pack(">HH", marker, len(payload) + 2) + payload


def chunk(kind, payload=b""):
    return struct.pack(">I", len(payload)) + kind + payload + b"\0sum"


def jpeg(*parts):
    """A JPEG with these parts between its first marker and what Pillow writes behind that."""
    file = io.BytesIO()
    picture().save(file, "JPEG")
    return b"\xff\xd8" + b"".join(parts) + file.getvalue()[2:]


def exif_segment(value, **options):
    return segment(0xFFE1, b"Exif\0\0" + tiff(value, **options))


# One entry is promised, and the orientation is the second.
short_table = tiff(6, entries=[(0x010F, 2, b"ACM\0")]).replace(b"\0\2\1\x0f", b"\0\1\1\x0f")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("value", STORED)
def test_every_orientation_is_read_as_pillow_reads_it_and_made_upright(value, kind, end):
    stored = picture() if value == 1 else picture().transpose(STORED[value])
    file = io.BytesIO()
    made = tiff(value, ENDS[end], entries=[(0x010F, 2, b"ACM\0")])
    stored.save(file, kind, exif=b"Exif\0\0" + made, **({"quality": 95} if kind == "JPEG" else {}))
    with Image.open(io.BytesIO(file.getvalue())) as opened:
        assert opened.getexif()[0x0112] == value
        pixels, expected = np.asarray(opened), np.asarray(ImageOps.exif_transpose(opened))
    assert orientation(file.getvalue()).numpy() == value
    np.testing.assert_array_equal(upright(pixels, tf.constant(value)), expected)
    assert exif.swaps_sides(tf.constant(value)).numpy() == (pixels.shape != expected.shape)


@pytest.mark.parametrize(
    "data",
    [
        jpeg(segment(0xFFE0, b"JFIF\0"), exif_segment(6)),
        jpeg(segment(0xFFE1, b"http://ns.adobe.com/xap/1.0/\0"), exif_segment(6)),
        jpeg(*[segment(0xFFE2, b"ICC_PROFILE" * 5000)] * 3, exif_segment(6)),
        jpeg(b"\xff\xff\xff", exif_segment(6)),
        jpeg(segment(0xFFE2, b""), exif_segment(6)),
        jpeg(segment(0xFFDB, bytes(65)), segment(0xFFC4, bytes(20)), exif_segment(6)),
        jpeg(exif_segment(6), exif_segment(3)),
        jpeg(exif_segment(6, entries=[(tag, 3, b"\0\1\0\0") for tag in range(0x100, 0x110)])),
    ],
    ids=[
        "behind JFIF",
        "behind XMP",
        "behind a profile",
        "behind fill bytes",
        "behind an empty one",
        "behind tables",
        "twice",
        "17th",
    ],
)
def test_the_segment_is_found_wherever_it_stands(data):
    assert orientation(data).numpy() == 6


@pytest.mark.parametrize(("before", "value"), [(63, 6), (64, exif.UPRIGHT)])
def test_after_64_segments_a_file_is_read_no_further(before, value):
    data = jpeg(*[segment(0xFFE2, b"part of a profile")] * before, exif_segment(6))
    assert orientation(data).numpy() == value


@pytest.mark.parametrize(("before", "value"), [(9_999, 6), (10_000, exif.UPRIGHT)])
def test_after_ten_thousand_chunks_a_png_is_read_no_further(before, value):
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b"pixels") * before + chunk(b"eXIf", tiff(6))
    assert orientation(data).numpy() == value


@pytest.mark.parametrize(
    "data",
    [
        jpeg(),
        jpeg(exif_segment(9)),
        jpeg(exif_segment(0)),
        jpeg(exif_segment(6, kind=4)),
        jpeg(exif_segment(6, kind=4, end="<")),
        jpeg(segment(0xFFE1, b"Exif\0\0")),
        jpeg(segment(0xFFE1, b"Exif\0\0" + tiff(6)[:12])),
        jpeg(segment(0xFFE1, b"Exif\0\0II+\0" + tiff(6, "<")[4:])),
        jpeg(segment(0xFFE1, b"Exif\0\0MM\0+" + tiff(6)[4:])),
        jpeg(segment(0xFFE1, b"Exif\0\0" + short_table)),
        jpeg(exif_segment(6, ifd=0xFFFFFFFF)),
        jpeg(exif_segment(6, ifd=0x7FFFFFFF)),
        jpeg(segment(0xFFE1, b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 65535))),
        jpeg(segment(0xFFE3, b"Exif\0\0" + tiff(6))),
        jpeg(segment(0xFFFE, b"a comment" + exif_segment(6))),
        jpeg(segment(0xFFE0, b"JFIF\0"), segment(0x00E0, b"lost"), exif_segment(6)),
        b"\xff\xd8" + segment(0xFFDA, b"of a scan") + exif_segment(6),
        b"\xff\xd8\xffExif\0\0",
        b"\xff\xd8" + exif_segment(6)[:-14],
        b"\xff\xd8\xff\xe1\0\0Exif\0\0" + tiff(6),
        b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffeXIf" + tiff(6),
        b"\x89PNG\r\n\x1a\n\x7f\xff\xff\xffeXIf" + tiff(6),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IEND") + chunk(b"eXIf", tiff(6)),
        b"GIF89a Exif\0\0 eXIf" + tiff(6),
        b"GIF89a\0\0" + chunk(b"eXIf", tiff(6)),
        b"",
    ],
    ids=[
        "none",
        "9",
        "0",
        "of another type",
        "of another type whose first bytes are a 6",
        "an empty segment",
        "cut in the table",
        "in another kind of TIFF",
        "in another kind of TIFF, the other way round",
        "behind the entries of the table",
        "an offset beyond everything",
        "an offset that could overflow",
        "a table without end",
        "in another segment",
        "inside a comment",
        "behind what is no segment",
        "behind the pixels",
        "no segment",
        "a file that ends in it",
        "a length of none",
        "a chunk of 4 GB",
        "a chunk of 2 GB",
        "behind the end of a PNG",
        "of a GIF",
        "of a GIF that goes on as a PNG",
        "of nothing",
    ],
)
def test_what_is_damaged_or_lies_counts_as_upright(data):
    assert orientation(data).numpy() == exif.UPRIGHT


def test_no_mutation_of_a_header_is_an_error():
    file = io.BytesIO()
    picture().save(file, "PNG", exif=b"Exif\0\0" + tiff(6))
    draw = random.Random(0)
    for good in (jpeg(exif_segment(6, end="<")), jpeg(exif_segment(8)), file.getvalue()):
        for _ in range(200):
            data = bytearray(good)
            for _ in range(draw.randint(1, 4)):
                data[draw.randrange(len(data))] = draw.choice([0, 1, 0x7F, 0x80, 0xFF])
            data = bytes(data[: draw.randint(0, len(data))])
            assert 1 <= orientation(data).numpy() <= 8, data
