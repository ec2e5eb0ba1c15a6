"""Whether a file is a whole picture that the pipeline can decode."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

# Pillow knows many more, some of which start other programs (EPS).
_READABLE = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")

# What the Transform graph decodes as it is. MPO is a JPEG with more pictures behind the first.
# TensorFlow's BMP decoder takes palette indices for colours, so BMP is not among them.
_STORED_AS_IS = ("JPEG", "MPO", "PNG", "GIF")


class BadPictureError(ValueError):
    """A file that cannot be used as a picture; the message says why."""


def check_picture(data: bytes, max_pixels: int) -> bytes:
    """Proves that the bytes are a picture by decoding them as the Transform graph will.

    Args:
        data: The content of a file.
        max_pixels: Largest width x height; for a GIF, which is decoded as a whole, of all frames
            together.

    Returns:
        The bytes to store: `data` itself, or, where TensorFlow cannot decode the format, the same
        pixels as an RGB PNG.

    Raises:
        BadPictureError: If they are no picture, too large, damaged or cut off.
    """
    if not data:
        raise BadPictureError("empty file")
    try:
        with Image.open(io.BytesIO(data), formats=_READABLE) as image:
            _check_size(image, max_pixels)
            kind = image.format
            if kind not in _STORED_AS_IS:
                return _to_png(image)
    except BadPictureError:
        raise
    except Image.UnidentifiedImageError:
        raise BadPictureError("not a JPEG, PNG, GIF, BMP, WebP or TIFF picture") from None
    except Image.DecompressionBombError as error:
        raise BadPictureError(
            f"more than data.max_pixels = {max_pixels:,} pixels: {error}"
        ) from error
    except Exception as error:  # on damaged files Pillow raises nearly anything
        raise BadPictureError(f"damaged or cut off: {' '.join(str(error).split())}") from error
    try:
        tf.io.decode_image(data, channels=3, expand_animations=False)
    except tf.errors.OpError as error:
        raise BadPictureError(f"damaged or cut-off {kind}") from error
    return data


def _check_size(image: Image.Image, max_pixels: int) -> None:
    frames = image.n_frames if image.format == "GIF" else 1
    if image.width * image.height * frames > max_pixels:
        size = f"{image.width:,} x {image.height:,} pixels"
        size += f" in {frames:,} frames" if frames > 1 else ""
        raise BadPictureError(f"{size}, more than data.max_pixels = {max_pixels:,}")


def _to_png(image: Image.Image) -> bytes:
    image = ImageOps.exif_transpose(image)  # a PNG of ours says nothing of an orientation
    if image.mode.startswith("I;16"):
        # Pillow would clip the values; TensorFlow keeps the high byte of a 16-bit PNG.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise BadPictureError(
            "32-bit brightness has no known range: store 8 or 16 bits per channel"
        )
    png = io.BytesIO()
    image.convert("RGB").save(png, "PNG")
    return png.getvalue()
