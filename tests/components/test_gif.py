"""Where the blocks of a GIF end."""

import io

import numpy as np
import pytest
from PIL import Image

from components import gif


def encode(frames: int, **options) -> bytes:
    """So many frames with, from the second on, palettes of their own."""
    random = np.random.default_rng(0)
    first, *others = (
        Image.fromarray(random.integers(0, 255, (9, 12, 3), np.uint8)) for _ in range(frames)
    )
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def animation():
    return encode(3, comment=b"hello")


def test_whole_is_what_reaches_the_trailer(animation):
    assert gif.is_whole(animation)
    assert gif.is_whole(encode(1))
    assert gif.is_whole(animation + b"bytes that somebody hung on")


def test_cut_anywhere_it_is_not_whole(animation):
    assert not any(gif.is_whole(animation[:size]) for size in range(6, len(animation)))


def test_bytes_that_are_no_block_end_it(animation):
    assert not gif.is_whole(animation[:-1] + b"\0" + animation[-1:])


@pytest.mark.parametrize(
    "options",
    [
        {"include_color_table": False},
        {"include_color_table": True},
        {"comment": b"hello", "loop": 0},  # extensions before the frame
    ],
    ids=str,
)
def test_the_first_frame_ends_behind_its_own_palette(options):
    animation = encode(2, **options)
    end = gif.first_frame_end(animation)
    assert animation[end] in b"!,", "an extension or a frame follows"
    with Image.open(io.BytesIO(animation[:end] + b";")) as one:
        assert one.n_frames == 1


def test_an_interlaced_frame_has_a_palette_only_where_it_says_so():
    animation = bytearray(encode(1))
    end = gif.first_frame_end(animation)
    frame = 13 + 3 * 2 ** ((animation[10] & 7) + 1)  # behind the palette of all frames
    assert animation[frame] == ord(",") and animation[frame + 9] == 0
    animation[frame + 9] = 0x40
    assert gif.first_frame_end(animation) == end and gif.is_whole(animation)


def test_where_the_first_frame_is_cut_off_it_ends_with_the_file():
    animation = encode(2, comment=b"hello")
    end = gif.first_frame_end(animation)
    assert {gif.first_frame_end(animation[:size]) - size for size in range(6, end)} == {0}
