"""Heat maps over pictures: where a network looked."""

import matplotlib
import numpy as np
from PIL import Image

# Dark where the map is 0, and apart in brightness too, for eyes that tell few colours.
_COLOURS = matplotlib.colormaps["inferno"]
_OPACITY = 0.65


def overlay(picture: Image.Image, heat: np.ndarray) -> Image.Image:
    """Lays a heat map over a picture.

    Args:
        picture: upright, of any size and shape; the network saw all of it, squeezed to a square.
        heat: float [height, width] in 0..1, of any size; what is not finite counts as 0.

    Returns:
        An RGB picture of the same size: grey where the map is 0, glowing where it is 1.
    """
    finite = np.nan_to_num(np.asarray(heat, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    fitted = Image.fromarray(finite).resize(picture.size, Image.Resampling.BICUBIC)
    level = np.clip(np.asarray(fitted), 0.0, 1.0)
    glow = _COLOURS(level)[..., :3] * 255.0
    grey = np.asarray(picture.convert("L"), np.float32)[..., np.newaxis]
    weight = _OPACITY * level[..., np.newaxis]
    mixed = (1.0 - weight) * grey + weight * glow
    return Image.fromarray(mixed.round().astype(np.uint8))
