"""Whether a GIF is whole. Decoders show what they have got of a file that was cut off."""

_HEADER_BYTES = 13
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def is_whole(data: bytes) -> bool:
    """Whether the blocks of a GIF follow each other up to the trailer that ends the file.

    Args:
        data: a file that begins as a GIF does. Bytes behind the trailer do not matter.
    """
    at = _HEADER_BYTES + _palette_bytes(data, 10)
    while at < len(data):
        if data[at] == _TRAILER:
            return True
        if data[at] == _EXTENSION:
            at += 2
        elif data[at] == _IMAGE:
            at += 10 + _palette_bytes(data, at + 9) + 1  # one byte: the size of the first codes
        else:
            return False
        at = _end_of_sub_blocks(data, at)
    return False


def _palette_bytes(data: bytes, at: int) -> int:
    """Bytes of the palette that the flags at this place announce; 0 if none."""
    flags = data[at] if at < len(data) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _end_of_sub_blocks(data: bytes, at: int) -> int:
    """The place behind a chain of blocks, each with its length before it; the last has length 0."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1
