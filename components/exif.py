"""The orientation that a camera wrote into a picture, read and applied by TensorFlow ops alone.

TensorFlow's decoders ignore it (tensorflow/tensorflow#33932). These functions are part of the
Transform graph, so that a served picture stands as upright as the same picture did in training.
"""

import tensorflow as tf

from components.picture_formats import has_format

UPRIGHT = 1
# Tag of the orientation in an IFD, and its type: a 16-bit number (Exif 2.32, table 4).
_ORIENTATION_TAG, _SHORT = 0x0112, 3
_ENTRY_BYTES = 12
# Files as cameras write them have a dozen segments, and PNG encoders may write an IDAT chunk per
# 8 kB; what has more is read no further.
_MOST_SEGMENTS = 64
_MOST_CHUNKS = 10_000
# To be made upright: is it transposed first, then mirrored left-right, then top-bottom?
_TRANSPOSED = (False, False, False, False, True, True, True, True)
_MIRRORED = (False, True, True, False, False, True, True, False)
_TURNED_OVER = (False, False, True, True, False, False, True, True)

_PNG_SIGNATURE_BYTES = 8
_JPEG_EXIF, _PNG_EXIF = b"Exif\0\0", b"eXIf"
# A file that holds neither is upright.
SEGMENT_NAMES = (_JPEG_EXIF, _PNG_EXIF)


def orientation(image: tf.Tensor) -> tf.Tensor:
    """How an encoded picture is stored.

    Args:
        image: string [], the bytes of a JPEG, a PNG or any other format. They may be damaged.

    Returns:
        int32 [], 1 to 8 as Exif numbers them: 1 is upright, also where nothing is said, where it
        is not a number of these, and for formats that say nothing.
    """
    jpeg, png = has_format(image, "JPEG"), has_format(image, "PNG")
    # A walk over the parts of a file costs as much as decoding a small picture, and most have
    # nothing to find: searching for the name first costs next to nothing.
    name = tf.where(jpeg, _JPEG_EXIF, _PNG_EXIF)
    named = tf.size(tf.strings.split(image, name, maxsplit=1)) > 1
    return tf.cond(
        named & (jpeg | png),
        lambda: _in_tiff(tf.cond(jpeg, lambda: _jpeg_exif(image), lambda: _png_exif(image))),
        lambda: tf.constant(UPRIGHT),
    )


def swaps_sides(orientation: tf.Tensor) -> tf.Tensor:
    """Whether width and height of the stored picture are height and width of the upright one."""
    return tf.gather(_TRANSPOSED, orientation - 1)


def upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors a picture.

    Args:
        pixels: [height, width, channels] as stored.
        orientation: int32 [], see `orientation`.

    Returns:
        The same pixels upright; [width, height, channels] where `swaps_sides`.
    """
    row_step, column_step = (
        tf.where(tf.gather(flips, orientation - 1), -1, 1) for flips in (_TURNED_OVER, _MIRRORED)
    )

    def turn() -> tf.Tensor:
        turned = tf.cond(
            swaps_sides(orientation), lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels
        )
        return turned[::row_step, ::column_step]

    return tf.cond(tf.equal(orientation, UPRIGHT), lambda: pixels, turn)


def _jpeg_exif(image: tf.Tensor) -> tf.Tensor:
    """The TIFF structure in the first Exif segment of a JPEG, string []; empty without one."""

    def look(at: tf.Tensor, _: tf.Tensor, __: tf.Tensor):
        marker = _number(image, at, 2, True)
        length = _number(image, at + 2, 2, True)
        is_fill = tf.equal(marker, 0xFFFF)  # any number of bytes ff may stand before a marker
        # Behind the start of the scan (ffda) there are no more segments.
        ends = (marker < 0xFFC0) | (marker == 0xFFDA) | (~is_fill & (length < 2))
        # The two bytes of the length count themselves.
        payload = _slice(image, at + 4, tf.maximum(length - 2, 0))
        is_exif = (
            ~ends & (marker == 0xFFE1) & tf.equal(_slice(payload, 0, len(_JPEG_EXIF)), _JPEG_EXIF)
        )
        found = tf.where(is_exif, _slice(payload, len(_JPEG_EXIF), tf.strings.length(payload)), "")
        return at + tf.where(is_fill, 1, 2 + length), found, ends | is_exif

    return _first(look, 2, _MOST_SEGMENTS)


def _png_exif(image: tf.Tensor) -> tf.Tensor:
    """The TIFF structure in the eXIf chunk of a PNG, string []; empty without one."""

    def look(at: tf.Tensor, _: tf.Tensor, __: tf.Tensor):
        length = _number(image, at, 4, True)
        kind = _slice(image, at + 4, 4)
        is_exif = tf.equal(kind, _PNG_EXIF)
        ends = tf.equal(kind, b"IEND") | (tf.strings.length(kind) < 4)
        # Compared before it is added: a length that lies must not overflow.
        ends |= length > tf.strings.length(image)
        found = tf.where(is_exif & ~ends, _slice(image, at + 8, tf.where(ends, 0, length)), "")
        return at + 12 + tf.where(ends, 0, length), found, ends | is_exif

    return _first(look, _PNG_SIGNATURE_BYTES, _MOST_CHUNKS)


def _first(look, start: int, most: int) -> tf.Tensor:
    """What a walk over the parts of a file finds: string [].

    Args:
        look: from (position, what was found, whether to end) to the next such three.
        start: position of the first part.
        most: parts to look at.
    """
    _, found, _ = tf.while_loop(
        lambda at, found, ends: ~ends,
        look,
        (tf.constant(start), tf.constant(""), tf.constant(False)),
        maximum_iterations=most,
        parallel_iterations=1,
    )
    return found


def _in_tiff(tiff: tf.Tensor) -> tf.Tensor:
    """The orientation in the first IFD of a TIFF structure, string [], which may be damaged."""
    is_big = tf.equal(_slice(tiff, 0, 4), b"MM\0*")
    known = is_big | tf.equal(_slice(tiff, 0, 4), b"II*\0")

    def read() -> tf.Tensor:
        ifd = _number(tiff, 4, 4, is_big)
        count = _number(tiff, ifd, 2, is_big)
        table = _slice(tiff, ifd + 2, count * _ENTRY_BYTES)
        entries = tf.reshape(
            tf.io.decode_raw(
                _slice(table, 0, tf.strings.length(table) // _ENTRY_BYTES * _ENTRY_BYTES), tf.uint8
            ),
            [-1, _ENTRY_BYTES],
        )
        entries = tf.cast(entries, tf.int32)

        def shorts(column: int) -> tf.Tensor:
            first, second = entries[:, column], entries[:, column + 1]
            return tf.where(is_big, 256 * first + second, 256 * second + first)

        is_orientation = tf.equal(shorts(0), _ORIENTATION_TAG) & tf.equal(shorts(2), _SHORT)
        values = tf.boolean_mask(shorts(8), is_orientation)
        return tf.concat([values, [UPRIGHT]], axis=0)[0]

    value = tf.cond(known, read, lambda: tf.constant(UPRIGHT))
    return tf.where((value >= 1) & (value <= 8), value, UPRIGHT)


def _slice(data: tf.Tensor, start, length) -> tf.Tensor:
    """Bytes from `start` on, at most `length`; fewer or none where the data end before."""
    size = tf.strings.length(data)
    return tf.strings.substr(data, tf.clip_by_value(start, 0, size), length)


def _number(data: tf.Tensor, start, size: int, is_big) -> tf.Tensor:
    """An unsigned number of `size` bytes, int32 []; beyond the end bytes count as 0.

    It is cut off where adding the length of a segment could overflow; no file is that long.
    """
    padded = tf.strings.join([_slice(data, start, size), b"\0" * size])
    digits = tf.cast(tf.io.decode_raw(tf.strings.substr(padded, 0, size), tf.uint8), tf.int64)
    digits = tf.where(is_big, digits, digits[::-1])
    powers = tf.constant([256**power for power in reversed(range(size))], tf.int64)
    value = tf.reduce_sum(digits * powers)
    return tf.cast(tf.minimum(value, tf.int32.max - 2**16), tf.int32)
