"""Half a picture is none, in every format that is served."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.serving_gate.truncation import first_half


def encode(form: str, frames: int = 1, **options) -> bytes:
    """Noise, which does not get small by compression."""
    random = np.random.default_rng(0)
    pictures = [
        Image.fromarray(random.integers(0, 255, (40, 50, 3), np.uint8)) for _ in range(frames)
    ]
    file = io.BytesIO()
    if frames > 1:
        options |= {"save_all": True, "append_images": pictures[1:]}
    pictures[0].save(file, form, **options)
    return file.getvalue()


def decode(data: bytes) -> tf.Tensor:
    return tf.io.decode_image(data, channels=3, expand_animations=False)


@pytest.mark.parametrize(
    "picture",
    [
        encode("JPEG"),
        encode("JPEG", progressive=True),
        2 * encode("JPEG") + b"a film" * 1000,
        encode("PNG"),
        encode("GIF"),
        encode("GIF", frames=2),
        encode("GIF", frames=12),
    ],
    ids=[
        "JPEG",
        "progressive JPEG",
        "JPEG and more",
        "PNG",
        "GIF",
        "GIF of 2 frames",
        "GIF of 12 frames",
    ],
)
def test_the_whole_is_decoded_and_its_half_is_not(picture):
    assert decode(picture).shape == (40, 50, 3)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(first_half(picture))


def test_half_of_the_bytes_of_an_animation_would_be_a_picture():
    """The reason for this module."""
    animation = encode("GIF", frames=12)
    assert decode(animation[: len(animation) // 2]).shape == (40, 50, 3)


@pytest.mark.parametrize(
    "picture",
    [encode("PNG"), encode("JPEG", exif=b"Exif\0\0" + encode("JPEG")), encode("JPEG")[:-9]],
    ids=["PNG", "JPEG with a small copy", "JPEG cut off"],
)
def test_half_is_half(picture):
    assert first_half(picture) == picture[: len(picture) // 2]


@pytest.mark.parametrize("length", [3, 4, 21, 100])
def test_a_jpeg_that_is_cut_off_before_its_pixels_has_a_half_too(length):
    data = encode("JPEG")[:length]
    assert first_half(data) == data[: length // 2]


@pytest.mark.parametrize("length", [0, 4, 10, 13, 20, 100, 800, 900])
def test_a_gif_that_is_cut_off_already_has_a_half_too(length):
    assert len(first_half(encode("GIF")[:length])) <= length // 2
