"""Whether a file is a whole picture that the pipeline can decode."""

import functools
import io

import numpy as np
import tensorflow as tf
from PIL import ExifTags, Image

from components import exif, gif, heif, picture_formats
from components.example_gen.inspection import facts
from components.example_gen.inspection.picture import Picture
from components.pillow_pictures import (
    UnknownRangeError,
    open_picture,
    upright_rgb,
)
from components.text import one_line


class BadPictureError(ValueError):
    """A file that cannot be used as a picture; the message says why."""


def check_picture(data: bytes, max_pixels: int) -> Picture:
    """Proves that the bytes are a picture by decoding them as the Transform graph will.

    Args:
        data: the content of a file.
        max_pixels: largest width x height; for a GIF, which is decoded as a whole, of all frames
            together.

    Raises:
        BadPictureError: they are no picture, too large, damaged or cut off.
    """
    if not data:
        raise BadPictureError("empty file")
    kind = picture_formats.format_of(data)
    if kind is None:
        return _convert(data, max_pixels)
    # TensorFlow shows the frames that it has got.
    if kind == "GIF" and not gif.is_whole(data):
        raise BadPictureError("damaged or cut-off GIF")
    mode = _check_claimed_size(data, max_pixels)
    try:
        pixels, size = _decode_jpeg(data) if kind == "JPEG" else _decode(data)
    except tf.errors.OpError as error:
        raise BadPictureError(f"damaged or cut-off {kind}") from error
    _check_size(*size, 1, max_pixels)
    return Picture(data, pixels, size, kind, _orientation(data), mode)


def _decode(data: bytes) -> tuple[np.ndarray, tuple[int, int]]:
    """Pixels, uint8 [height, width, 3], and their width and height."""
    pixels = tf.io.decode_image(data, channels=3, expand_animations=False).numpy()
    height, width, _ = pixels.shape
    return pixels, (width, height)


def _decode_jpeg(data: bytes) -> tuple[np.ndarray, tuple[int, int]]:
    """Pixels of a JPEG, no fewer than it is measured by, and the width and height of all of it.

    libjpeg reads every bit of the file whatever it makes of them, so 1/8 proves as much as all. Of
    12 megapixels it takes a third of the time.
    """
    height, width, _ = tf.io.extract_jpeg_shape(data).numpy().tolist()
    ratio = facts.jpeg_ratio(width, height)
    return tf.io.decode_jpeg(data, channels=3, ratio=ratio).numpy(), (width, height)


def _orientation(data: bytes) -> int:
    """What the Transform graph will take for the Exif orientation."""
    # To ask the graph costs half as much as to decode a small photo.
    has_exif = any(name in data for name in exif.SEGMENT_NAMES)
    return int(_orientation_graph()(data)) if has_exif else exif.UPRIGHT


@functools.cache
def _orientation_graph():
    return tf.function(exif.orientation, input_signature=[tf.TensorSpec([], tf.string)])


def _check_claimed_size(data: bytes, max_pixels: int) -> str:
    """Refuses a picture that says itself that it is too large, before it takes that much memory.

    Gives Pillow's name for its colour mode; empty where Pillow does not understand the file.

    Pillow does not understand some headers that TensorFlow does (it checks sums that do not concern
    the pixels); what these say is seen when they are decoded.
    """
    try:
        with open_picture(data) as image:
            frames = image.n_frames if image.format == "GIF" else 1
            size = (image.width, image.height, frames)
            mode = image.mode
    except Image.DecompressionBombError as error:
        raise _too_large(error, max_pixels) from error
    except Exception:  # on damaged files Pillow raises nearly anything
        return ""
    _check_size(*size, max_pixels)
    return mode


def _convert(data: bytes, max_pixels: int) -> Picture:
    """The first picture of a file that only Pillow reads."""
    try:
        with open_picture(data) as image:
            _check_size(image.width, image.height, 1, max_pixels)
            return _converted(image)
    except BadPictureError:
        raise
    except UnknownRangeError as error:
        raise BadPictureError(str(error)) from error
    except Image.UnidentifiedImageError:
        if heif.is_heif(data):
            needed = f"a HEIC picture: {heif.HEIF_NEEDED}"
            raise BadPictureError(
                "damaged or cut-off HEIC" if heif.reads_heif() else needed
            ) from None
        raise BadPictureError("not a JPEG, PNG, GIF, BMP, WebP, TIFF or HEIC picture") from None
    except Image.DecompressionBombError as error:
        raise _too_large(error, max_pixels) from error
    except Exception as error:  # on damaged files Pillow raises nearly anything
        raise BadPictureError(f"damaged or cut off: {one_line(error)}") from error


def _check_size(width: int, height: int, frames: int, max_pixels: int) -> None:
    if width * height * frames > max_pixels:
        size = f"{width:,} x {height:,} pixels"
        size += f" in {frames:,} frames" if frames > 1 else ""
        raise BadPictureError(f"{size}, more than data.max_pixels = {max_pixels:,}")


def _too_large(error: Exception, max_pixels: int) -> BadPictureError:
    """For what Pillow refuses by itself."""
    return BadPictureError(f"more than data.max_pixels = {max_pixels:,} pixels: {error}")


def _converted(image: Image.Image) -> Picture:
    """The pixels as TensorFlow would see them, upright, in a PNG."""
    orientation = image.getexif().get(ExifTags.Base.Orientation, exif.UPRIGHT)
    upright = upright_rgb(image)  # a PNG of ours says nothing of an orientation
    png = io.BytesIO()
    upright.save(png, "PNG")
    return Picture(
        png.getvalue(),
        np.asarray(upright),
        upright.size,
        image.format,
        orientation if orientation in range(1, 9) else exif.UPRIGHT,
        image.mode,
        is_converted=True,
    )
