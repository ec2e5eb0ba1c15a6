"""Pictures of many classes, drawn: shapes, each with three textures in warm or cool colours."""

import itertools
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

_SIZE = 192
_CORNERS = {"triangle": 3, "square": 4, "pentagon": 5, "star": 10, "cross": 12, "disc": 60}
_TEXTURES = ("plain", "stripes", "dots")
_TINTS = ("warm", "cool")
CLASSES = ["-".join(parts) for parts in itertools.product(_CORNERS, _TEXTURES, _TINTS)]
"""Names of all classes, 36 of them."""


def draw_classes(folder: Path, of_each: int) -> None:
    """Draws JPEGs, no two alike, into one folder per class."""
    for index, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(of_each):
            picture = draw(np.random.default_rng([index, number]), name)
            picture.save(folder / name / f"{number:04d}.jpg", quality=90)


def draw(rng: np.random.Generator, name: str) -> Image.Image:
    """One picture of a class: where the shape is, how large and how turned, is left to chance."""
    shape, texture, tint = name.split("-")
    noise = rng.integers(40, 216, (12, 12, 3)).astype(np.uint8)
    ground = Image.fromarray(noise).resize((_SIZE, _SIZE), Image.Resampling.BICUBIC)
    mask = Image.new("L", (_SIZE, _SIZE))
    ImageDraw.Draw(mask).polygon(_outline(rng, shape), fill=255)
    ground.paste(_surface(rng, texture, tint), mask=mask.filter(ImageFilter.GaussianBlur(1)))
    return ground


def _outline(rng: np.random.Generator, shape: str) -> list[tuple[float, float]]:
    corners = _CORNERS[shape]
    radius, turn = rng.uniform(45, 75), rng.uniform(0, 2 * math.pi)
    centre = rng.uniform(radius, _SIZE - radius, 2)
    points = []
    for corner in range(corners):
        share = {"star": (1.0, 0.4)[corner % 2], "cross": (1.0, 1.0, 0.45)[corner % 3]}
        angle = turn + 2 * math.pi * corner / corners
        points.append(
            tuple(
                centre
                + radius * share.get(shape, 1.0) * np.array([math.cos(angle), math.sin(angle)])
            )
        )
    return points


def _surface(rng: np.random.Generator, texture: str, tint: str) -> Image.Image:
    strong, weak = rng.integers(170, 256), rng.integers(0, 70)
    colour = (strong, rng.integers(40, 140), weak)
    colour = np.array(colour if tint == "warm" else colour[::-1])
    rows, columns = np.mgrid[:_SIZE, :_SIZE] / rng.uniform(10, 16)
    wave = {
        "plain": np.zeros_like(rows),
        "stripes": np.sin(2 * math.pi * rows) > 0,
        "dots": np.sin(2 * math.pi * rows) * np.sin(2 * math.pi * columns) > 0.3,
    }[texture]
    return Image.fromarray((colour * (1 - 0.75 * wave[..., np.newaxis])).astype(np.uint8))
