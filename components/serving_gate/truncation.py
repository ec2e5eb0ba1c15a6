"""Half a picture: what is left of an upload that broke off."""

from components import gif
from components.picture_formats import format_of


def first_half(picture: bytes) -> bytes:
    """The first half of an encoded picture; of an animation, half of its first frame.

    The first frame of a GIF is a whole picture to TensorFlow, so half of an animation's bytes would
    not do.
    """
    end = gif.first_frame_end(picture) if format_of(picture) == "GIF" else len(picture)
    return picture[: end // 2]
