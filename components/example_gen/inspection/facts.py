"""What is measured of each picture, as features of its example and as a row of `pictures.parquet`.

Brightness, contrast, sharpness and colourfulness are those of the upright picture made smaller by
a whole number (so that it has some 12,500 to 50,000 pixels, about what a network looks at). That
makes them comparable among pictures of different sizes, and cheap for large ones.
"""

import dataclasses
import math

import numpy as np
from PIL import Image

from components import picture_formats
from components.example_gen.inspection.picture import Picture

# Geometric mean of the sides, in pixels, that a picture is not made smaller than.
_SIDE = 112
# By Exif orientation, what makes a stored picture upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TRANSPOSED = (5, 6, 7, 8)


@dataclasses.dataclass(frozen=True)
class Facts:
    """Facts of one picture; the names are those of the features.

    Attributes:
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
        bytes: Size of the original file.
        format: Of the original file: `JPEG`, `PNG`, `GIF`, `BMP`, `WEBP`, `TIFF` or
            `HEIF`.
        orientation: Exif orientation of the original file, 1 to 8; 1 is upright.
        brightness: Mean grey value, 0 to 255.
        contrast: Standard deviation of the grey values, 0 to 127.5.
        sharpness: Variance of the Laplacian (4 neighbours) of the grey values; low when blurred.
        aspect: Width divided by height.
        colourfulness: M3 of Hasler and Süsstrunk, Measuring colourfulness in natural images (2003):
            0 for grey, 33 moderately, 109 extremely colourful.
    """

    width: int
    height: int
    bytes: int
    format: str
    orientation: int
    brightness: float
    contrast: float
    sharpness: float
    aspect: float
    colourfulness: float


def jpeg_ratio(width: int, height: int) -> int:
    """By what a JPEG may be made smaller while it is decoded: it stays twice as large as needed."""
    fits = _side(width, height) // (2 * _SIDE)
    return max(ratio for ratio in picture_formats.JPEG_RATIOS if ratio <= max(1, fits))


def _side(width: int, height: int) -> int:
    return int(math.sqrt(width * height))


def reduced(picture: Picture) -> Image.Image:
    """The picture to measure: RGB, upright, smaller by a whole number.

    By the same one for every format, whether or not it was decoded whole.
    """
    ratio = jpeg_ratio(*picture.size)
    factor = max(1, _side(*picture.size) // ratio // _SIDE)
    image = Image.fromarray(picture.pixels)
    image = image.reduce(factor * ratio if image.size == picture.size else factor)
    turn = _TURNS.get(picture.stored_orientation)
    return image if turn is None else image.transpose(turn)


def measure(image: Image.Image, picture: Picture, file_bytes: int) -> Facts:
    """Measures a picture.

    Args:
        image: See `reduced`.
        picture: What it was made of.
        file_bytes: Size of the original file.
    """
    width, height = picture.size
    if picture.stored_orientation in _TRANSPOSED:
        height, width = width, height
    brightness, contrast, sharpness = _grey_facts(np.asarray(image.convert("L"), np.float32))
    return Facts(
        width=width,
        height=height,
        bytes=file_bytes,
        format=picture.format,
        orientation=picture.orientation,
        brightness=brightness,
        contrast=contrast,
        sharpness=sharpness,
        aspect=width / height,
        colourfulness=_colourfulness(image),
    )


def _grey_facts(grey: np.ndarray) -> tuple[float, float, float]:
    """Brightness, contrast and sharpness of grey values, float32 [height, width]."""
    laplacian = 4 * grey[1:-1, 1:-1]
    for neighbours in (grey[:-2, 1:-1], grey[2:, 1:-1], grey[1:-1, :-2], grey[1:-1, 2:]):
        laplacian -= neighbours
    brightness, variance = _moments(grey)
    sharpness = _moments(laplacian)[1] if laplacian.size else 0.0
    return brightness, math.sqrt(variance), sharpness


def _colourfulness(image: Image.Image) -> float:
    """M3 of Hasler and Süsstrunk of an RGB picture."""
    red, green, blue = (np.asarray(channel, np.float32) for channel in image.split())
    yellow_blue = _moments((red + green) / 2 - blue)
    red -= green
    red_green = _moments(red)
    deviation = math.sqrt(red_green[1] + yellow_blue[1])
    return deviation + 0.3 * math.hypot(red_green[0], yellow_blue[0])


def _moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and variance of float32 values, in a third of the time that numpy.var takes."""
    mean = values.mean()
    centred = (values - mean).ravel()
    return float(mean), float(centred @ centred) / centred.size
