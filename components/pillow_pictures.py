"""Pictures as Pillow shows them.

So are formats read that TensorFlow does not decode, and to this is held what the graph decodes.
"""

import functools
import io
import warnings

import numpy as np
from PIL import ExifTags, Image, ImageOps

from components import heif

# Pillow's name for HEIC, which it reads with pillow-heif alone.
_HEIF = "HEIF"
# Pillow knows many more, some of which start other programs (EPS).
_READABLE = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
# Where Pillow looks for an orientation too, which neither browsers nor the graph do.
_NO_EXIF = ("xmp", "XML:com.adobe.xmp", "Raw profile type exif")


class UnknownRangeError(ValueError):
    """Pixels whose brightness cannot be told; the message says why."""


@functools.cache
def _formats() -> tuple[str, ...]:
    if not heif.reads_heif():
        return _READABLE
    import pillow_heif

    pillow_heif.register_heif_opener()
    return (*_READABLE, _HEIF)


def open_picture(data: bytes) -> Image.Image:
    """Opens a file, whose pixels are not decoded yet.

    Raises:
        Image.UnidentifiedImageError: it is of no format that Graft reads.
        Exception: nearly anything, on damaged files.
    """
    return Image.open(io.BytesIO(data), formats=_formats())


def upright_rgb(image: Image.Image) -> Image.Image:
    """The first picture of an opened file: upright, RGB, 8 bits per channel, as TensorFlow would.

    Raises:
        UnknownRangeError: pixels of 32 bits.
        Exception: nearly anything, on damaged files.
    """
    if image.format == "GIF":  # what is transparent in it is black to TensorFlow
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "black"), seen).convert("RGB")
    image = image.copy()  # also of what Pillow has made of the keys already
    for key in _NO_EXIF:
        image.info.pop(key, None)
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I;16"):
        # Pillow would clip the values; TensorFlow keeps the high byte of a 16-bit PNG.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise UnknownRangeError(
            "32-bit brightness has no known range: store 8 or 16 bits per channel"
        )
    return image.convert("RGB")


def orientation_exif(orientation: int, byte_order: str) -> bytes:
    """An Exif structure of nothing but the orientation.

    Args:
        orientation: 1 to 8.
        byte_order: as `struct` has it, `<` or `>`.
    """
    exif = Image.Exif()
    exif.endian = byte_order
    exif[ExifTags.Base.Orientation] = orientation
    return exif.tobytes()


def small_copy(data: bytes, side: int) -> Image.Image:
    """An encoded picture as a viewer shows it: RGB, at most `side` pixels wide and high.

    Raises:
        Exception: nearly anything, on damaged files.
    """
    with warnings.catch_warnings():
        # Whoever let it through has decided on its number of pixels.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = open_picture(data)
        image.draft("RGB", (2 * side, 2 * side))  # of a JPEG decodes no more than that
        image = upright_rgb(image)
    image.thumbnail((side, side))
    return image
