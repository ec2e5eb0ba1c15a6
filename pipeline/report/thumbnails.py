"""Thumbnails of the source's pictures, as far as these are still there."""

import base64
import contextlib
import hashlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from components.errors import UserError
from components.example_gen.reading import buckets, remote
from components.example_gen.reading.source import FILES, Item, Source
from components.example_gen.reading.walk import to_utf8
from components.pillow_pictures import open_picture, upright_rgb
from pipeline.config import Recipe
from pipeline.preflight import open_labelled

_SIDE = 112
_MOST_BYTES = 64 << 20


def thumbnails(recipe: Recipe, image_ids: Mapping[str, str]) -> dict[str, str]:
    """Makes thumbnails, upright and RGB, of at most 112 x 112 pixels.

    Args:
        recipe: whose source holds the pictures.
        image_ids: SHA-256 of the files, hexadecimal, by their paths as `pictures.parquet` has them.

    Returns:
        `data:` URIs by path, without the pictures that are gone, damaged, larger than
        `data.max_pixels` or other ones than those of the run. Nothing is downloaded for them.
    """
    if not image_ids or remote.is_address(recipe.data.source):
        return {}
    try:
        source = open_labelled(recipe)
    except (UserError, OSError):
        return {}
    if buckets.is_in_bucket(source.root):
        return {}
    items = {to_utf8(item.path): item for item in source.items}
    made = {}
    for path, image_id in image_ids.items():
        # Nearly anything is raised on a damaged file, and a page can do without the picture.
        with contextlib.suppress(Exception):
            data = _read(source, items[path])
            if hashlib.sha256(data).hexdigest() == image_id:
                made[path] = _thumbnail(data, recipe.data.max_pixels)
    return made


def _read(source: Source, item: Item) -> bytes:
    if item.size > _MOST_BYTES:
        raise ValueError("too large")
    if source.kind == FILES:
        return Path(source.root, item.path).read_bytes()
    # Imports TensorFlow, which the pages of most runs can do without.
    from components.example_gen.reading.readers import open_reader

    with open_reader(source.kind, source.root) as read:
        return read(item)


def _thumbnail(data: bytes, max_pixels: int) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = open_picture(data)
        if image.width * image.height > max_pixels:
            raise ValueError("too large")
        image.draft("RGB", (2 * _SIDE, 2 * _SIDE))  # of a JPEG decodes no more than that
        image = upright_rgb(image)
    image.thumbnail((_SIDE, _SIDE))
    file = io.BytesIO()
    small = max(image.size) < _SIDE // 2
    image.save(file, "PNG" if small else "JPEG", quality=82)
    kind = "png" if small else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
