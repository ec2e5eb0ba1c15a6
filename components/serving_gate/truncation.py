"""Half a picture: what is left of an upload that broke off."""

from components import gif
from components.picture_formats import format_of

_JPEG_SCAN, _JPEG_END = b"\xda", b"\xff\xd9"


def first_half(picture: bytes) -> bytes:
    """The first half of an encoded picture, whatever lies behind it in the file.

    To TensorFlow the first frame of an animated GIF is a whole picture, and a JPEG with a film or
    other pictures behind it, as phones write them, so half of the bytes would not do.
    """
    ends = {"GIF": gif.first_frame_end, "JPEG": _jpeg_end}
    return picture[: ends.get(format_of(picture), len)(picture) // 2]


def _jpeg_end(data: bytes) -> int:
    """Where the first picture of a JPEG ends; the end of what there is where it is cut off."""
    at = 2
    # Of the segments before the scan one may hold a small JPEG, with an end of its own.
    while data[at + 1 : at + 2] not in (_JPEG_SCAN, b""):
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    end = data.find(_JPEG_END, at)
    return len(data) if end < 0 else end + len(_JPEG_END)
