import pytest

from components.example_gen.inspection import gif


@pytest.fixture(scope="module")
def animation(smooth_image, encode):
    """Three frames with a comment and, from the second on, palettes of their own."""
    frames = [smooth_image(seed, 12, 9) for seed in (1, 2, 3)]
    return encode(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=b"hello")


def test_whole_is_what_reaches_the_trailer(animation, smooth_image, encode):
    assert gif.is_whole(animation)
    assert gif.is_whole(encode(smooth_image(1), "GIF"))
    assert gif.is_whole(animation + b"bytes that somebody hung on")


def test_cut_anywhere_it_is_not_whole(animation):
    assert not any(gif.is_whole(animation[:size]) for size in range(6, len(animation)))


def test_bytes_that_are_no_block_end_it(animation):
    assert not gif.is_whole(animation[:-1] + b"\0" + animation[-1:])
