import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components import heif, pillow_pictures
from components.example_gen.inspection.pictures import BadPictureError, check_picture

MAX_PIXELS = 50_000_000


def _decode(data: bytes) -> np.ndarray:
    """The pixels that the Transform graph sees, uint8 [height, width, 3]."""
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


def _blank_png(width: int, height: int) -> bytes:
    """A valid one-bit PNG, a few kilobytes however large it is; never held in memory as pixels."""
    compressor = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    pixels = b"".join(compressor.compress(row) for _ in range(height)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    )


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("MPO", "RGB", {}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "LA", {}),
        ("PNG", "P", {}),
        ("PNG", "1", {}),
        ("GIF", "P", {}),
    ],
)
@pytest.mark.parametrize("size", [(40, 30), (1, 1)])
def test_what_tensorflow_decodes_is_kept_as_it_is(smooth_image, encode, kind, mode, options, size):
    data = encode(smooth_image(1, *size).convert(mode), kind, **options)
    picture = check_picture(data, MAX_PIXELS)
    assert picture.stored is data and picture.size == size
    np.testing.assert_array_equal(picture.pixels, _decode(data))
    assert picture.pixels.shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("WEBP", "RGB"),
        ("WEBP", "RGBA"),
        ("TIFF", "RGB"),
        ("TIFF", "CMYK"),
        ("TIFF", "LA"),
        ("BMP", "RGB"),
        ("BMP", "L"),
        ("BMP", "P"),  # TensorFlow would take palette indices for grey values
        ("BMP", "1"),
    ],
)
def test_the_rest_becomes_a_png_of_the_same_pixels(smooth_image, encode, kind, mode):
    image = smooth_image(2).convert(mode)
    data = encode(image, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    picture = check_picture(data, MAX_PIXELS)
    assert picture.stored.startswith(b"\x89PNG") and picture.is_converted
    with Image.open(io.BytesIO(data)) as file:  # of the file, and not of the PNG
        assert (picture.format, picture.mode) == (kind, file.mode)
    np.testing.assert_array_equal(_decode(picture.stored), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(("value", "told"), [*((n, n) for n in range(1, 9)), (0, 1), (9, 1)])
def test_the_orientation_of_what_is_converted_is_told_as_the_file_has_it(
    smooth_image, encode, value, told
):
    exif = Image.Exif()
    exif[0x0112] = value
    picture = check_picture(encode(smooth_image(1), "TIFF", exif=exif.tobytes()), MAX_PIXELS)
    assert (picture.orientation, picture.stored_orientation) == (told, 1)


@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
def test_what_is_converted_is_stored_upright(smooth_image, encode, kind):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its left side
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(smooth_image(1, 40, 30), kind, exif=exif.tobytes(), **options)
    stored = check_picture(data, MAX_PIXELS).stored
    expected = smooth_image(1, 40, 30).transpose(Image.Transpose.ROTATE_270)
    np.testing.assert_array_equal(_decode(stored), np.asarray(expected))
    assert not Image.open(io.BytesIO(stored)).getexif()


def test_cmyk_jpeg_has_its_true_colours(encode):
    image = Image.new("RGB", (32, 32), (200, 60, 20))
    image.paste((30, 90, 220), (0, 0, 16, 32))
    data = encode(image.convert("CMYK"), "JPEG", quality=95)
    assert check_picture(data, MAX_PIXELS).stored is data
    difference = np.abs(_decode(data).astype(int) - np.asarray(image))
    assert difference.mean() < 4


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B")])
def test_16_bit_grey_keeps_its_brightness(encode, kind, mode):
    ramp = np.linspace(0, 65_535, 40 * 30).astype(np.uint16).reshape(30, 40)
    stored_as = ramp.astype(">u2" if mode == "I;16B" else "<u2").tobytes()
    image = Image.frombytes(mode, (40, 30), stored_as)
    stored = check_picture(encode(image, kind), MAX_PIXELS).stored
    np.testing.assert_array_equal(_decode(stored), np.repeat((ramp >> 8)[..., None], 3, axis=-1))


def test_animation_gives_its_first_frame(smooth_image, encode):
    frames = [smooth_image(seed) for seed in (1, 2, 3)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert check_picture(data, MAX_PIXELS).stored is data
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(_decode(data), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("GIF", {}),
        ("WEBP", {}),
        ("TIFF", {}),
        ("BMP", {}),
    ],
)
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_cut_off(smooth_image, encode, kind, options, keep):
    data = encode(smooth_image(3), kind, **options)
    with pytest.raises(BadPictureError):
        check_picture(data[: int(len(data) * keep)], MAX_PIXELS)


@pytest.mark.parametrize("keep", [0.3, 0.5, 0.8, 0.95])
def test_a_cut_off_animation_is_no_picture(smooth_image, encode, keep):
    # Of some of these TensorFlow, and of others Pillow, shows the first frames.
    frames = [smooth_image(seed) for seed in range(4)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(BadPictureError, match="damaged or cut-off GIF"):
        check_picture(data[: int(len(data) * keep)], MAX_PIXELS)


def test_a_png_with_a_wrong_sum_beside_its_pixels_is_a_picture(smooth_image, encode):
    # Pillow refuses it; the graph would serve it.
    data = encode(smooth_image(3), "PNG", dpi=(72, 72)).replace(b"pHYs", b"pHYt")
    assert check_picture(data, MAX_PIXELS).stored is data
    with pytest.raises(BadPictureError, match=r"40 x 30 pixels, more than data\.max_pixels"):
        check_picture(data, 40 * 30 - 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("missing", [1, 2, 3, 8, 12])
def test_cut_off_just_before_the_end(smooth_image, encode, kind, missing):
    # Pillow alone accepts a PNG without its last chunk.
    data = encode(smooth_image(3), kind)
    with pytest.raises(BadPictureError, match=f"damaged or cut-off {kind}"):
        check_picture(data[:-missing], MAX_PIXELS)


@pytest.mark.parametrize(
    ("size", "ratio"), [((447, 447), 1), ((448, 448), 2), ((3200, 250), 2), ((2000, 1606), 8)]
)
def test_of_a_large_jpeg_no_more_is_decoded_than_is_measured(smooth_image, encode, size, ratio):
    data = encode(smooth_image(1, *size), "JPEG")
    picture = check_picture(data, MAX_PIXELS)
    assert picture.stored is data and picture.size == size
    height, width, _ = picture.pixels.shape
    assert (width, height) == tuple(-(-side // ratio) for side in size)
    whole = Image.fromarray(_decode(data)).reduce(ratio)
    assert np.abs(picture.pixels.astype(int) - np.asarray(whole)).mean() < 1.5


@pytest.mark.parametrize("progressive", [False, True])
def test_a_large_jpeg_is_refused_where_a_whole_decode_would(smooth_image, encode, progressive):
    data = encode(smooth_image(1, 1000, 804), "JPEG", progressive=progressive)
    rng = np.random.default_rng(0)
    outcomes = set()
    for at in rng.integers(2, len(data), 25):
        cut = data[:at]
        spoilt = data[:at] + bytes(rng.integers(0, 256, 40, np.uint8)) + data[at + 40 :]
        for damaged in (cut, spoilt):
            try:
                _decode(damaged)
            except tf.errors.InvalidArgumentError:
                with pytest.raises(BadPictureError):
                    check_picture(damaged, MAX_PIXELS)
                outcomes.add("refused")
            else:
                assert check_picture(damaged, MAX_PIXELS).stored is damaged
                outcomes.add("taken")
    assert outcomes == {"refused", "taken"}


def test_damaged_png(smooth_image, encode):
    data = bytearray(encode(smooth_image(3), "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(BadPictureError, match="damaged or cut-off PNG"):
        check_picture(bytes(data), MAX_PIXELS)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"just some text, named .jpg", "not a JPEG, PNG, GIF, BMP, WebP, TIFF or HEIC picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a JPEG"),
    ],
)
def test_no_picture(data, reason):
    with pytest.raises(BadPictureError, match=reason):
        check_picture(data, MAX_PIXELS)


def test_decompression_bomb_is_refused_undecoded():
    data = _blank_png(20_000, 20_000)
    assert len(data) < 100_000
    with pytest.raises(BadPictureError, match=r"data.max_pixels = 50,000,000 .*400000000 pixels"):
        check_picture(data, MAX_PIXELS)


def test_max_pixels(monkeypatch):
    data = _blank_png(300, 200)
    assert check_picture(data, 60_000).stored is data
    monkeypatch.setattr(tf.io, "decode_image", None)  # would fail if it were decoded
    with pytest.raises(
        BadPictureError, match=r"300 x 200 pixels, more than data\.max_pixels = 59,999"
    ):
        check_picture(data, 59_999)


@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "BMP"])
def test_max_pixels_holds_for_what_is_converted(smooth_image, encode, kind):
    data = encode(smooth_image(1), kind)
    assert check_picture(data, 40 * 30).is_converted
    with pytest.raises(
        BadPictureError, match=r"^40 x 30 pixels, more than data\.max_pixels = 1,199"
    ):
        check_picture(data, 40 * 30 - 1)


def test_max_pixels_counts_every_frame_of_a_gif(smooth_image, encode):
    # TensorFlow decodes them all to get the first.
    frames = [smooth_image(seed) for seed in (1, 2, 3)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(BadPictureError, match="40 x 30 pixels in 3 frames"):
        check_picture(data, 3 * 40 * 30 - 1)


@pytest.mark.parametrize("kind", ["MPO", "PNG", "TIFF", "WEBP"])
def test_of_other_formats_the_first_picture_alone_counts(smooth_image, encode, kind):
    images = [smooth_image(seed) for seed in (1, 2, 3)]
    data = encode(images[0], kind, save_all=True, append_images=images[1:])
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 3
    assert check_picture(data, 40 * 30).size == (40, 30)
    with pytest.raises(BadPictureError, match=r"^40 x 30 pixels, more than data\.max_pixels"):
        check_picture(data, 40 * 30 - 1)


@pytest.mark.parametrize("mode", ["F", "I"])
def test_32_bit_brightness_has_no_known_range(smooth_image, encode, mode):
    with pytest.raises(BadPictureError, match=r"^32-bit brightness .* store 8 or 16 bits"):
        check_picture(encode(smooth_image(1).convert("L").convert(mode), "TIFF"), MAX_PIXELS)


def test_heic_is_stored_upright(smooth_image, encode):
    pytest.importorskip("pillow_heif").register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its left side
    data = encode(smooth_image(1, 64, 48), "HEIF", quality=100, chroma=444, exif=exif.tobytes())
    picture = check_picture(data, MAX_PIXELS)
    assert (picture.format, picture.mode, picture.is_converted) == ("HEIF", "RGB", True)
    expected = np.asarray(smooth_image(1, 64, 48).transpose(Image.Transpose.ROTATE_270), int)
    assert picture.pixels.shape == (64, 48, 3)
    assert np.abs(_decode(picture.stored) - expected).max() < 16


def test_heic_that_was_cut_off_is_told_as_such(smooth_image, encode):
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = encode(smooth_image(1, 64, 48), "HEIF")
    with pytest.raises(BadPictureError, match=r"^damaged or cut-off HEIC$"):
        check_picture(data[: len(data) // 2], 10_000)


def test_heic_is_told_apart_where_it_cannot_be_read(smooth_image, encode, monkeypatch):
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = encode(smooth_image(1), "HEIF")
    monkeypatch.setattr(heif, "reads_heif", lambda: False)
    pillow_pictures._formats.cache_clear()
    with pytest.raises(BadPictureError, match=r"a HEIC picture: .* install Graft's extra heif"):
        check_picture(data, MAX_PIXELS)
    pillow_pictures._formats.cache_clear()
