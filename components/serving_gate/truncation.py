"""Half a picture: what is left of an upload that broke off."""

from components.picture_formats import format_of

_HEADER_BYTES = 13  # signature, version, and the logical screen
_IMAGE, _EXTENSION = 0x2C, 0x21
_DESCRIPTOR_BYTES = 10


def first_half(picture: bytes) -> bytes:
    """The first half of an encoded picture; of an animation, half of its first frame.

    The first frame of a GIF is a whole picture to TensorFlow, so half of an animation's bytes would
    not do.
    """
    end = _first_frame_end(picture) if format_of(picture) == "GIF" else len(picture)
    return picture[: end // 2]


def _first_frame_end(gif: bytes) -> int:
    """Where the first frame of a GIF ends; the end of what there is where it is cut off."""
    position = _HEADER_BYTES + _colour_table_bytes(gif, 10)
    while position < len(gif):
        kind = gif[position]
        if kind == _EXTENSION:
            position = _blocks_end(gif, position + 2)
        elif kind == _IMAGE:
            table = _colour_table_bytes(gif, position + _DESCRIPTOR_BYTES - 1)
            # One byte before the blocks: the size of the compression's codes.
            return _blocks_end(gif, position + _DESCRIPTOR_BYTES + table + 1)
        else:
            break
    return len(gif)


def _colour_table_bytes(gif: bytes, flags_position: int) -> int:
    """Length of the colour table that follows a descriptor, by the last of its flags."""
    flags = gif[flags_position] if flags_position < len(gif) else 0
    return 3 * 2 ** ((flags & 0b111) + 1) if flags & 0b1000_0000 else 0


def _blocks_end(gif: bytes, position: int) -> int:
    """Where a chain of blocks ends, each of which begins with its length; 0 ends the chain."""
    while position < len(gif) and gif[position]:
        position += 1 + gif[position]
    return min(position + 1, len(gif))
