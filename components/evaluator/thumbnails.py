"""`thumbnails.parquet`: small pictures of the test split, for whoever tells of its rows.

Reading the examples for a page would mean, on a cluster, to download all of them.

<evaluation>/thumbnails.parquet   a row per picture

| column     | type   | content                                                       |
|------------|--------|---------------------------------------------------------------|
| `image_id` | string | content id                                                    |
| `media`    | string | `image/jpeg`, or `image/png` of what was small to begin with  |
| `data`     | binary | the encoded thumbnail: upright, RGB, at most 112 x 112 pixels |
| `heat`     | binary | the same with a heat map over it, JPEG; null: none was made   |
"""

import io
import logging
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps

from components import features
from components.errors import UserError
from components.files import atomic_file
from components.heat_maps import overlay
from components.pillow_pictures import small_copy
from components.text import one_line

_JPEG = "image/jpeg"
THUMBNAILS_FILE = "thumbnails.parquet"
SIDE = 112
"""Pixels."""

_HEAT = "heat"
_SCHEMA = pa.schema(
    [
        (features.IMAGE_ID, pa.string()),
        ("media", pa.string()),
        ("data", pa.binary()),
        (_HEAT, pa.binary()),
    ]
)

Explainer = Callable[[Sequence[bytes]], np.ndarray]
"""From encoded pictures to heat maps, float32 [pictures, height, width] in 0..1."""

Thumbnail = tuple[str, bytes]
"""Media type and bytes."""


def write_thumbnails(
    evaluation: str | os.PathLike,
    examples: Sequence[str],
    image_ids: Collection[str],
    explained: Collection[str] = (),
    explain: Explainer | None = None,
) -> None:
    """Makes the thumbnails of some pictures and writes them beside an evaluation's rows.

    Args:
        evaluation: folder of the evaluation.
        examples: TFRecord files, which hold the pictures.
        image_ids: of the pictures. One that cannot be decoded, or is not there, is left out.
        explained: those of them that get a heat map.
        explain: what makes heat maps; None: nothing does.
    """
    made, to_explain = {}, {}
    for image_id, data in _pictures(examples, set(image_ids)):
        try:
            made[image_id] = make_thumbnail(data)
        except Exception:  # nearly anything is raised on a damaged file
            logging.exception("No thumbnail of the picture %s", image_id)
        else:
            if image_id in explained:
                to_explain[image_id] = data
    heat = _heat_maps(made, to_explain, explain) if explain and to_explain else {}
    media, data = ([one[part] for one in made.values()] for part in (0, 1))
    columns = [list(made), media, data, [heat.get(image_id) for image_id in made]]
    table = pa.table(columns, schema=_SCHEMA)
    with atomic_file(Path(evaluation) / THUMBNAILS_FILE) as file:
        pq.write_table(table, file)


def read_thumbnails(
    evaluation: str | os.PathLike,
) -> tuple[dict[str, Thumbnail], dict[str, Thumbnail]]:
    """The thumbnails by `image_id`, and those of them that have heat maps over them.

    Raises:
        UserError: the file is missing or damaged.
    """
    path = Path(evaluation) / THUMBNAILS_FILE
    try:
        rows = pq.read_table(path).to_pydict()
        ids, media, data = (rows[name] for name in _SCHEMA.names[:3])
        heat = rows.get(_HEAT) or [None] * len(ids)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise UserError(f"{path} is missing or damaged: {one_line(error, 100)}") from error
    drawn = {image_id: (_JPEG, one) for image_id, one in zip(ids, heat, strict=True) if one}
    return dict(zip(ids, zip(media, data, strict=True), strict=True)), drawn


def make_thumbnail(data: bytes) -> Thumbnail:
    """A thumbnail of an encoded picture.

    Raises:
        Exception: nearly anything, on damaged files.
    """
    image = small_copy(data, SIDE)
    small = max(image.size) <= SIDE // 2
    file = io.BytesIO()
    # Compressed as a JPEG, a picture of few pixels would look like what it is not.
    image.save(file, "PNG" if small else "JPEG", quality=82)
    return ("image/png" if small else _JPEG), file.getvalue()


def _heat_maps(
    made: dict[str, Thumbnail], pictures: dict[str, bytes], explain: Explainer
) -> dict[str, bytes]:
    """JPEGs by id of those that the model explains."""
    try:
        maps = explain(list(pictures.values()))
    except Exception:  # what only tells of a model stops nobody
        logging.exception("No heat maps")
        return {}
    drawn = {}
    for image_id, heat in zip(pictures, maps, strict=True):
        with Image.open(io.BytesIO(made[image_id][1])) as thumbnail:
            file = io.BytesIO()
            enlarged = ImageOps.contain(thumbnail.convert("RGB"), (SIDE, SIDE))
            overlay(enlarged, heat).save(file, "JPEG", quality=82)
        drawn[image_id] = file.getvalue()
    return drawn


def _pictures(examples: Sequence[str], wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    """Id and encoded picture of each that is wanted, once."""
    import tensorflow as tf  # whoever reads thumbnails can do without it

    spec = {
        name: tf.io.FixedLenFeature([], tf.string) for name in (features.IMAGE_ID, features.IMAGE)
    }
    dataset = tf.data.TFRecordDataset(list(examples), features.COMPRESSION)
    for example in dataset.map(lambda one: tf.io.parse_single_example(one, spec)):
        if not wanted:
            return
        image_id = example[features.IMAGE_ID].numpy().decode()
        if image_id in wanted:
            wanted.remove(image_id)
            yield image_id, example[features.IMAGE].numpy()
