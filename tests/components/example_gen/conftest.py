"""Pictures to test with, made on the spot."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def _smooth_image(seed: int, width: int = 40, height: int = 30) -> Image.Image:
    """A coloured gradient, different for each seed; compresses like a photograph."""
    rng = np.random.default_rng(seed)
    corners = Image.fromarray(rng.integers(0, 256, (3, 4, 3), dtype=np.uint8))
    return corners.resize((width, height), Image.Resampling.BICUBIC)


def _encode(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def smooth_image():
    """`smooth_image(seed, width=40, height=30)` gives an RGB Pillow image."""
    return _smooth_image


@pytest.fixture(scope="session")
def encode():
    """`encode(image, "PNG", **options)` gives a file's bytes."""
    return _encode


@pytest.fixture(scope="session")
def fill():
    """`fill(root, {"cats": 3, "train/dogs": 2})` writes that many distinct pictures per folder."""

    def write(root: Path, counts: dict[str, int]) -> Path:
        for number, (folder, count) in enumerate(counts.items()):
            (root / folder).mkdir(parents=True)
            for index in range(count):
                data = _encode(_smooth_image(1000 * number + index), "PNG")
                (root / folder / f"{index}.png").write_bytes(data)
        return root

    return write
