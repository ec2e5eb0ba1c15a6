"""One picture as training sees it: as it is, and augmented."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from components.files import atomic_file
from components.pixels import undo_rescale
from components.settings import ValueRange
from components.trainer.inputs.examples import ExampleReader
from components.trainer.training_report import VIEWS_FILE

_SIDE = 128  # pixels of each


def shown_views(
    reader: ExampleReader, record: bytes, views: Sequence[int], value_range: ValueRange
) -> np.ndarray:
    """Views of a picture, out of the Transform graph itself.

    Args:
        reader: of the examples.
        record: a serialized example.
        views: which ones; 0 is the picture as it is served.
        value_range: of the network's pixels.

    Returns:
        uint8 [views, size, size, 3], 0..255 RGB.
    """
    pixels = undo_rescale(reader.views(record, views), value_range)
    return pixels.round().clip(0, 255).astype(np.uint8)


def write_views(
    reader: ExampleReader,
    record: bytes,
    views: Sequence[int],
    value_range: ValueRange,
    folder: str | os.PathLike,
) -> None:
    """Writes views of a picture to `views.jpg`, from left to right; see `shown_views`."""
    row = Image.fromarray(np.hstack(shown_views(reader, record, views, value_range)))
    row.thumbnail((len(views) * _SIDE, _SIDE))
    with atomic_file(Path(folder, VIEWS_FILE)) as file:
        row.save(file, "JPEG", quality=85)
