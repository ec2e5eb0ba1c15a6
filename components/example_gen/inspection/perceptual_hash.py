"""The perceptual hash (pHash) of a picture, of its mirror image and of their quarter turns.

Two pictures whose hashes differ in few of their 64 bits look alike. It is the `phash` of the
library imagehash. Mirroring or turning a picture only changes signs and places in its cosine
transform, so one transform gives the hashes of all eight forms, in a fortieth of the time.

The eight forms are numbered 4 a + 2 b + c: mirrored top-bottom if a, left-right if b, then
transposed if c. Form 0 is the picture itself.
"""

import numpy as np
from PIL import Image

FORMS = 8
# Side in pixels of the thumbnail that is hashed, and of the one that pixels are compared on.
_HASHED, THUMBNAIL = 32, 16
# Side of the square of lowest frequencies that make the hash.
_FREQUENCIES = 8
# Rows of the cosine transform (DCT-II), which is separable.
_COSINES = np.cos(
    np.pi / (2 * _HASHED) * np.outer(np.arange(_FREQUENCIES), 2 * np.arange(_HASHED) + 1)
)
# What mirroring multiplies them by: the odd ones change their sign.
_MIRRORED = np.where(np.arange(_FREQUENCIES) % 2, -1.0, 1.0)


def thumbnails(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Two grey thumbnails of a picture, uint8 [32, 32] to hash and uint8 [16, 16] to compare."""
    grey = image.convert("L").resize((_HASHED, _HASHED), Image.Resampling.BOX)
    return np.asarray(grey), np.asarray(grey.reduce(_HASHED // THUMBNAIL))


def hashes(thumbnail: np.ndarray) -> np.ndarray:
    """The hashes of a picture's eight forms.

    Args:
        thumbnail: uint8 [32, 32].

    Returns:
        uint64 [8].
    """
    low = _COSINES @ thumbnail @ _COSINES.T
    flipped = low * _MIRRORED[:, None]
    mirrored = np.stack([low, low * _MIRRORED, flipped, flipped * _MIRRORED])
    forms = np.stack([mirrored, mirrored.transpose(0, 2, 1)], axis=1).reshape(FORMS, -1)
    middle = forms.shape[1] // 2
    median = np.sort(forms, axis=1)[:, middle - 1 : middle + 1].mean(axis=1, keepdims=True)
    bits = forms > median
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def turned(pictures: np.ndarray, form: int) -> np.ndarray:
    """Pictures, [..., side, side], in one of the eight forms."""
    rows, columns = (-1 if form & 4 else 1), (-1 if form & 2 else 1)
    mirrored = pictures[..., ::rows, ::columns]
    return np.swapaxes(mirrored, -1, -2) if form & 1 else mirrored
