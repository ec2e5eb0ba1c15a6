"""Ingestion and serving agree on what a picture is, whatever the bytes are."""

import io
import resource
import struct
import zlib

import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

from components import gif, picture_formats, pixels
from components.example_gen.inspection.pictures import BadPictureError, check_picture

MAX_PIXELS = 50_000_000
MIB = 2**20


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def _graph(image):
    return pixels.decode(image, [8, 8])


def _is_served(data: bytes) -> bool:
    try:
        _graph(data)
    except tf.errors.OpError:
        return False
    return True


def _encode(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def files():
    """A real photo, small, in many ways to write it down."""
    photo = Image.fromarray(load_sample_image("china.jpg")).resize((48, 36))
    palette, turned = photo.convert("P"), [photo.rotate(90), photo.rotate(45)]
    return [
        _encode(photo, "JPEG"),
        _encode(photo, "JPEG", progressive=True, comment=b"hello"),
        _encode(photo.convert("CMYK"), "JPEG"),
        _encode(photo.convert("L"), "JPEG"),
        _encode(photo, "PNG", dpi=(72, 72)),
        _encode(photo.convert("LA"), "PNG"),
        _encode(palette, "PNG", transparency=3),
        _encode(photo, "GIF"),
        _encode(photo, "GIF", save_all=True, append_images=turned),
        _encode(photo, "BMP"),
        _encode(palette, "BMP"),
        _encode(photo.convert("1"), "BMP"),
    ]


def _change(data: bytes, kind: str, at: float, size: int, value: int) -> bytes:
    """Damages a file at a place given as a share of its length."""
    start = int(at * len(data))
    end = start + size
    before, part, after = data[:start], data[start:end], data[end:]
    return {
        "cut": before,
        "flip": before + bytes([part[0] ^ (value or 1)]) + part[1:] + after,
        "fill": before + bytes([value]) * len(part) + after,
        "remove": before + after,
        "repeat": before + part + part + after,
        "begin anew": data[end:],
    }[kind]


changes = st.lists(
    st.tuples(
        st.sampled_from(["cut", "flip", "flip", "flip", "fill", "remove", "repeat", "begin anew"]),
        # Half of them where headers are.
        st.floats(0, 0.05, exclude_max=True) | st.floats(0, 1, exclude_max=True),
        st.sampled_from([1, 2, 4, 16, 64, 300]),
        st.integers(0, 255),
    ),
    max_size=3,
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(which=st.integers(0, 11), changes=changes)
def test_damaged_files_are_pictures_to_both_or_to_neither(files, which, changes):
    data = files[which]
    for change in changes:
        if data:
            data = _change(data, *change)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    served = _is_served(data)
    try:
        stored = check_picture(data, MAX_PIXELS).stored
    except BadPictureError as error:
        # The two that ingestion refuses and a decoder does not.
        cut_animation = data.startswith(b"GIF") and not gif.is_whole(data)
        assert not served or cut_animation or "data.max_pixels" in str(error)
        assert str(error).isprintable()
    else:
        assert _is_served(stored)
        assert served == (stored is data) == (picture_formats.format_of(data) is not None)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 600 * MIB


def _png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _claims(kind: str, width: int, height: int) -> bytes:
    """A small file whose header says how large its picture is."""
    if kind == "PNG":
        return _png(width, height)
    data = bytearray(_encode(Image.new("RGB", (40, 30), (9, 99, 200)), kind))
    if kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", height, width)
    elif kind == "GIF":
        frame = data.index(b"\x2c\0\0\0\0") + 5
        data[6:10] = data[frame : frame + 4] = struct.pack("<HH", width, height)
    else:
        data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
def test_headers_that_claim_30000_by_30000_take_no_memory(kind):
    data = _claims(kind, 30_000, 30_000)
    _is_served(_claims(kind, 40, 30))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadPictureError, match=r"data\.max_pixels = 50,000,000"):
        check_picture(data, MAX_PIXELS)
    # Of a JPEG an eighth of each side is decoded, so that no limit of the decoder is met.
    assert _is_served(data) is (kind == "JPEG")
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 100 * MIB


@pytest.mark.parametrize(
    "magic",
    [
        b"",
        b"\xff\xd8",
        b"\x89PNG",
        b"GIF8",
        b"GIF88a",
        b"BM",
        b"RIFF\0\0\0\0WEBP",
        b"II*\0",
        b"MM\0*",
    ],
)
def test_other_beginnings_are_not_served(magic):
    assert picture_formats.format_of(magic + bytes(100)) is None
    assert not _is_served(magic + bytes(100))
    assert not _is_served(magic)
