"""What begins as a picture that is served, in Python and in the graph."""

import pytest
import tensorflow as tf

from components import picture_formats

KNOWN = {
    b"\xff\xd8\xff\xe0": "JPEG",
    b"\x89PNG\r\n\x1a\n\0": "PNG",
    b"GIF87a,": "GIF",
    b"GIF89a,": "GIF",
}


@pytest.mark.parametrize("data", KNOWN, ids=repr)
def test_what_is_served_is_kept(data):
    assert picture_formats.format_of(data) == KNOWN[data]
    assert picture_formats.only_known(tf.constant(data)).numpy() == data
    for name in ("JPEG", "PNG", "GIF"):
        found = picture_formats.has_format(tf.constant(data), name).numpy()
        assert found == (name == KNOWN[data])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\x89PNG\r\n\x1a",
        b"GIF88a,",
        b"gif89a,",
        b"BM..",
        b"RIFF....WEBP",
        b" GIF89a",
    ],
    ids=repr,
)
def test_anything_else_is_kept_from_the_decoder(data):
    assert picture_formats.format_of(data) is None
    assert picture_formats.only_known(tf.constant(data)).numpy() == b"unknown format"
