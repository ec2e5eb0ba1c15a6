"""The formats of pictures that the Transform graph decodes, and thereby those that are served.

ImageExampleGen stores files of these formats as they are and converts all others to PNG, so what
is trained on and what clients may send are one list.
"""

import tensorflow as tf

# What files begin with. TensorFlow's decoder reads BMP as well, but takes palette indices for
# colours; and its GIF decoder does not look at the version.
_MAGIC = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
}

# What TensorFlow's decoder can divide width and height of a JPEG by.
JPEG_RATIOS = (1, 2, 4, 8)


def format_of(data: bytes) -> str | None:
    """The format that a file begins as: `JPEG`, `PNG` or `GIF`; None for any other."""
    for name, magics in _MAGIC.items():
        if data.startswith(magics):
            return name
    return None


def only_known(image: tf.Tensor) -> tf.Tensor:
    """Part of the graph: keeps other formats from a decoder that would read them.

    It is no assertion, because an assertion runs also where nobody asks for the pixels, as when
    only labels are transformed.

    Args:
        image: string [], the bytes of a file.

    Returns:
        The same bytes if they begin as a JPEG, a PNG or a GIF; else some that no decoder knows.
    """
    known = [has_format(image, name) for name in _MAGIC]
    return tf.where(tf.reduce_any(known), image, "unknown format")


def has_format(image: tf.Tensor, name: str) -> tf.Tensor:
    """Part of the graph: whether bytes, string [], begin as those of a format do: bool []."""
    magics = [tf.equal(tf.strings.substr(image, 0, len(m)), m) for m in _MAGIC[name]]
    return tf.reduce_any(magics)
