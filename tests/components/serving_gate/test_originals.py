"""Files as clients have them, against a graph that decodes as a trained model's does."""

import dataclasses
import functools
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from components import exif, features, picture_formats, pixels
from components.serving_gate import originals
from components.serving_gate.client import _found
from components.serving_gate.contract import Client, ContractError
from components.serving_gate.originals import check_orientations, check_originals

pytestmark = pytest.mark.slow  # many decodes of many files

SETTINGS = {"batch": 64, "parity_tolerance": 1e-4, "original_tolerance": 0.01}


def photo(width=60, height=44):
    """Smooth, as photos are, and nowhere symmetric."""
    small = np.random.default_rng(1).integers(0, 255, (6, 9, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image, kind="PNG", orientation=None, **options):
    if orientation:
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = orientation
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def make_model():
    """One that looks at what lies where, by the graph's own decoding."""
    weights = np.random.default_rng(0).normal(size=(16 * 16 * 3, 2)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serve(image_bytes):
        decoded = tf.map_fn(
            lambda image: pixels.decode(image, [16, 16]),
            image_bytes,
            fn_output_signature=tf.TensorSpec([16, 16, 3], tf.float32),
        )
        scores = tf.reshape(decoded / 255 - 0.5, [-1, len(weights)]) @ weights
        return {features.PROBABILITIES: tf.nn.softmax(scores / 10)}

    class Model:
        signatures = {features.SERVING_SIGNATURE: serve}

    return Model()


sound_model = functools.cache(make_model)


def make_client(files=None, model=None) -> Client:
    """A client of a model, of the sound one unless told."""
    pictures = [encoded(photo())]
    return Client(model or sound_model(), ["a", "b"], [], pictures, dict(SETTINGS), files or {})


# Most of a picture in few colours, one of which is not to be seen.
TRANSPARENT = photo().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
ORIGINALS = {
    "photo.jpeg": encoded(photo(), "JPEG"),
    "turned.jpeg": encoded(photo(), "JPEG", orientation=6),
    "large.jpeg": encoded(photo(800, 600), "JPEG", orientation=5, quality=95),
    "grey.jpeg": encoded(photo().convert("L"), "JPEG"),
    "cmyk.jpeg": encoded(photo().convert("CMYK"), "JPEG"),
    "progressive.jpeg": encoded(photo(), "JPEG", progressive=True),
    "mirrored.png": encoded(photo(), orientation=2),
    "palette.png": encoded(photo().convert("P")),
    "bits.png": encoded(photo().convert("1")),
    "grey.png": encoded(photo().convert("L")),
    "alpha.png": encoded(photo().convert("RGBA")),
    "16bit.png": encoded(
        Image.fromarray(np.linspace(0, 65_535, 2640).astype(np.uint16).reshape(44, 60))
    ),
    "transparent.png": encoded(TRANSPARENT, transparency=2),
    "transparent.gif": encoded(TRANSPARENT, "GIF", transparency=2),
    "palette.gif": encoded(photo().convert("P"), "GIF"),
}
NOT_SERVED = {
    "my.photo.webp": encoded(photo(), "WEBP"),
    "photo.webp": encoded(photo(), "WEBP"),
    "photo.tiff": encoded(photo(), "TIFF"),
    "palette.bmp": encoded(photo().convert("P"), "BMP"),
}


def test_files_of_every_kind_are_served_as_pillow_shows_them():
    value, bound, message = check_originals(make_client(ORIGINALS | NOT_SERVED))
    assert value < bound / 2
    assert message.startswith("15 files differ from what Pillow shows by ")
    assert message.endswith("; refused, as agreed: 1 BMP, 1 TIFF, 2 WEBP")


def test_a_large_jpeg_is_held_to_the_fraction_that_it_is_decoded_at():
    data = encoded(photo(1200, 960), "JPEG", orientation=7, quality=60)
    references = [Image.open(io.BytesIO(one)).size for one in originals._references(data)]
    assert references == [(480, 600), (240, 300), (960, 1200), (120, 150)], "the likely one first"
    client = make_client({"large.jpeg": data})
    client.settings["original_tolerance"] = 1e-5
    assert check_originals(client)[0] <= 1e-5


def test_a_fraction_with_a_side_below_the_smallest_network_s_is_not_tried():
    data = encoded(photo(600, 400), "JPEG")
    references = [Image.open(io.BytesIO(one)).size for one in originals._references(data)]
    assert references == [(600, 400), (300, 200), (150, 100)]


def test_a_fraction_with_a_side_just_as_long_is_tried():
    data = encoded(photo(512, 512), "JPEG")
    references = [Image.open(io.BytesIO(one)).size for one in originals._references(data)]
    assert references == [(512, 512), (256, 256), (128, 128), (64, 64)]


@pytest.mark.parametrize("reader", ["_png_exif", "_jpeg_exif"])
def test_a_graph_that_forgets_the_orientation_of_one_format_is_stopped(reader, monkeypatch):
    monkeypatch.setattr(exif, reader, lambda image: tf.constant(b""))
    client = make_client(model=make_model())
    assert _found("", check_orientations(client)).verdict == "fail"


def test_sixteen_files_of_two_formats_get_one_answer():
    value, _, message = check_orientations(make_client())
    assert value < 1e-5
    assert message.startswith("16 JPEGs and 16 PNGs of one picture differ by ")


def test_orientations_are_tried_on_the_picture_that_the_model_is_least_sure_of(monkeypatch):
    tried, mosaic = [], originals._mosaic
    monkeypatch.setattr(originals, "_mosaic", lambda data: tried.append(data) or mosaic(data))
    client = make_client()
    client.pictures.append(encoded(photo().rotate(180)))
    check_orientations(client)
    check_orientations(dataclasses.replace(client, pictures=client.pictures[::-1]))
    sure = client.probabilities(features.SERVING_SIGNATURE, client.pictures).max(axis=1)
    assert sure[0] != sure[1] and tried == [client.pictures[sure.argmin()]] * 2


def test_the_mosaic_has_the_picture_s_proportions_and_blocks_of_one_colour():
    mosaic = originals._mosaic(encoded(photo()))
    assert mosaic.size == (320, 232)
    blocks = np.asarray(mosaic).reshape(29, 8, 40, 8, 3)
    assert (blocks == blocks[:, :1, :, :1]).all() and len(np.unique(blocks)) > 100


@pytest.mark.parametrize(("byte_order", "mark"), [("<", b"II*\0"), (">", b"MM\0*")])
@pytest.mark.parametrize("options", [originals._JPEG, originals._PNG])
def test_every_orientation_is_said_and_undone_by_it(options, byte_order, mark):
    mosaic = originals._mosaic(encoded(photo()))
    for orientation in range(1, 9):
        data = originals._encoded(mosaic, options, orientation, byte_order)
        assert mark in data
        with Image.open(io.BytesIO(data)) as image:
            assert image.getexif()[0x0112] == orientation
            assert (image.size == mosaic.size) == (orientation < 5)
            upright = ImageOps.exif_transpose(image)
        np.testing.assert_allclose(np.asarray(upright), mosaic, atol=8)


def test_a_picture_that_pillow_cannot_read_proves_nothing():
    data = bytearray(encoded(photo(), dpi=(72, 72)))
    data[data.index(b"pHYs") + 13] ^= 1  # the checksum of a chunk that TensorFlow passes over
    client = make_client({"checksum.png": bytes(data)})
    assert check_originals(client)[2].startswith("0 files")
    client.pictures.insert(0, bytes(data))
    assert check_orientations(client)[0] < 1e-5


def test_a_graph_that_forgets_exif_is_stopped(monkeypatch):
    monkeypatch.setattr(exif, "orientation", lambda image: tf.constant(1))
    client = make_client(ORIGINALS, make_model())
    of_files, of_one = (
        _found("", check(client)) for check in (check_originals, check_orientations)
    )
    assert of_files.verdict == of_one.verdict == "fail"
    assert "turned.jpeg" in of_files.message or "large.jpeg" in of_files.message


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_graph_that_knows_one_byte_order_is_stopped(monkeypatch, order):
    slices = exif._slice
    unknown = {"<": b"II*\0", ">": b"MM\0*"}[order]
    monkeypatch.setattr(
        exif,
        "_slice",
        lambda data, start, length: tf.where(
            tf.equal(slices(data, start, length), unknown), b"", slices(data, start, length)
        ),
    )
    client = make_client(model=make_model())
    assert _found("", check_orientations(client)).verdict == "fail"


def test_a_graph_that_serves_a_palette_in_wrong_colours_is_stopped(monkeypatch):
    monkeypatch.setattr(picture_formats, "only_known", lambda image: image)
    gate = _found("", check_originals(make_client(NOT_SERVED, make_model())))
    assert gate.verdict == "fail" and "palette.bmp" in gate.message


def test_a_file_that_is_refused_is_named(monkeypatch):
    client = make_client({"cut.jpeg": ORIGINALS["photo.jpeg"][:200]})
    monkeypatch.setattr(
        "components.serving_gate.originals._references", lambda data: [ORIGINALS["grey.png"]]
    )
    with pytest.raises(ContractError, match=r"cut\.jpeg is refused: "):
        check_originals(client)


def test_a_gif_whose_first_frame_is_a_part_is_not_compared():
    data = ORIGINALS["palette.gif"]
    part = data[:6] + bytes([80, 0, 70, 0]) + data[10:]  # 80 x 70, of which the frame is 60 x 44
    assert check_originals(make_client({"part.gif": part}))[2].startswith("0 files")


@pytest.mark.parametrize("check", [check_originals, check_orientations])
def test_what_is_no_number_agrees_with_nothing(monkeypatch, check):
    monkeypatch.setattr(
        Client, "probabilities", lambda self, signature, inputs: np.full((len(inputs), 2), np.nan)
    )
    gate = _found("", check(make_client({"photo.jpeg": ORIGINALS["photo.jpeg"]})))
    assert (gate.verdict, gate.value) == ("fail", np.inf)


def test_without_originals_nothing_is_proved():
    with pytest.raises(ContractError, match="no original file of the test split"):
        check_originals(make_client())
