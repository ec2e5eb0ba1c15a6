"""`thumbnails.parquet`: small pictures of the test split, for whoever tells of its rows.

Reading the examples for a page would mean, on a cluster, to download all of them.

<evaluation>/thumbnails.parquet   a row per picture

| column     | type   | content                                                       |
|------------|--------|---------------------------------------------------------------|
| `image_id` | string | content id                                                    |
| `media`    | string | `image/jpeg`, or `image/png` of what was small to begin with  |
| `data`     | binary | the encoded thumbnail: upright, RGB, at most 112 x 112 pixels |
"""

import io
import logging
import os
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from components import features
from components.errors import UserError
from components.files import atomic_file
from components.pillow_pictures import open_picture, upright_rgb
from components.text import one_line

THUMBNAILS_FILE = "thumbnails.parquet"
SIDE = 112
"""Pixels."""

_SCHEMA = pa.schema(
    [(features.IMAGE_ID, pa.string()), ("media", pa.string()), ("data", pa.binary())]
)

Thumbnail = tuple[str, bytes]
"""Media type and bytes."""


def write_thumbnails(
    evaluation: str | os.PathLike, examples: Sequence[str], image_ids: Collection[str]
) -> None:
    """Makes the thumbnails of some pictures and writes them beside an evaluation's rows.

    Args:
        evaluation: folder of the evaluation.
        examples: TFRecord files, which hold the pictures.
        image_ids: of the pictures. One that cannot be decoded, or is not there, is left out.
    """
    made = {}
    for image_id, data in _pictures(examples, set(image_ids)):
        try:
            made[image_id] = make_thumbnail(data)
        except Exception:  # nearly anything is raised on a damaged file
            logging.exception("No thumbnail of the picture %s", image_id)
    media, data = ([one[part] for one in made.values()] for part in (0, 1))
    table = pa.table([list(made), media, data], schema=_SCHEMA)
    with atomic_file(Path(evaluation) / THUMBNAILS_FILE) as file:
        pq.write_table(table, file)


def read_thumbnails(evaluation: str | os.PathLike) -> dict[str, Thumbnail]:
    """Media type and bytes by `image_id`.

    Raises:
        UserError: the file is missing or damaged.
    """
    path = Path(evaluation) / THUMBNAILS_FILE
    try:
        rows = pq.read_table(path).to_pydict()
        columns = [rows[name] for name in _SCHEMA.names]
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise UserError(f"{path} is missing or damaged: {one_line(error, 100)}") from error
    return {image_id: (media, data) for image_id, media, data in zip(*columns, strict=True)}


def make_thumbnail(data: bytes) -> Thumbnail:
    """A thumbnail of an encoded picture.

    Raises:
        Exception: nearly anything, on damaged files.
    """
    with warnings.catch_warnings():
        # ImageExampleGen has let it through: its number of pixels is one that was allowed.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = open_picture(data)
        image.draft("RGB", (2 * SIDE, 2 * SIDE))  # of a JPEG decodes no more than that
        image = upright_rgb(image)
    small = max(image.size) <= SIDE // 2
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    # Compressed as a JPEG, a picture of few pixels would look like what it is not.
    image.save(file, "PNG" if small else "JPEG", quality=82)
    return ("image/png" if small else "image/jpeg"), file.getvalue()


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
