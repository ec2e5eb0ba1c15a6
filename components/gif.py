"""The blocks of a GIF. Decoders show what they have got of a file that was cut off."""

from collections.abc import Iterator

_HEADER_BYTES = 13  # signature, version, and the logical screen
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def is_whole(data: bytes) -> bool:
    """Whether the blocks of a GIF follow each other up to the trailer that ends the file.

    Args:
        data: a file that begins as a GIF does. Bytes behind the trailer do not matter.
    """
    return any(kind == _TRAILER for kind, _ in _blocks(data))


def first_frame_end(data: bytes) -> int:
    """Where the first frame of a GIF ends; the end of what there is where it is cut off."""
    return next((end for kind, end in _blocks(data) if kind == _IMAGE), len(data))


def _blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Kind and end of each block, up to the first that is neither an extension nor an image."""
    at = _HEADER_BYTES + _palette_bytes(data, 10)
    while at < len(data):
        kind = data[at]
        if kind == _EXTENSION:
            at += 2
        elif kind == _IMAGE:
            at += 10 + _palette_bytes(data, at + 9) + 1  # one byte: the size of the first codes
        else:
            yield kind, at + 1
            return
        while at < len(data) and data[at]:  # parts, each with its length before it; the last has 0
            at += 1 + data[at]
        at = min(at + 1, len(data))
        yield kind, at


def _palette_bytes(data: bytes, at: int) -> int:
    """Bytes of the palette that the flags at this place announce; 0 if none."""
    flags = data[at] if at < len(data) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0
