"""Files of the test split just as the source has them, for the ServingGate to send as clients do.

The records hold other bytes where a format was converted, and what is compared with itself can
never disagree.
"""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from components import features
from components.example_gen.inspection.picture_table import Pictures
from components.example_gen.inspection.pictures import BadPictureError
from components.example_gen.reading.readers import open_reader
from components.example_gen.reading.source import Source
from components.example_gen.reading.walk import to_utf8
from components.files import write_atomically
from components.text import printable

_MOST = 64


def choose(
    ids: Sequence[str], kinds: Sequence[tuple], splits: Sequence[str | None], most: int = _MOST
) -> list[int]:
    """Chooses test pictures: one of each kind, then a second of each, and so on.

    Args:
        ids: Content id of each row.
        kinds: Format, orientation and colour mode of each row.
        splits: Split of each row.
        most: How many to choose.

    Returns:
        Rows, no two of the same content.
    """
    seen: Counter[tuple] = Counter()
    ranked = []
    test = {ids[row]: row for row, split in enumerate(splits) if split == features.TEST}
    for _, row in sorted(test.items()):
        ranked.append((seen[kinds[row]], len(ranked), row))
        seen[kinds[row]] += 1
    return [row for *_, row in sorted(ranked)[:most]]


def keep(source: Source, pictures: Pictures, splits: Sequence[str | None], uri: str) -> None:
    """Copies the chosen files into the folder `originals` of an artifact.

    Args:
        source: Where they are.
        pictures: The rows of all shards.
        splits: Split of each row.
        uri: Folder of the artifact.
    """
    folder = os.path.join(uri, features.ORIGINALS)
    Path(folder).mkdir(parents=True, exist_ok=True)
    items = {to_utf8(item.path): item for item in source.items}
    with open_reader(source.kind, source.root) as read:
        for number, row in enumerate(choose(pictures.ids, pictures.kinds, splits)):
            path, image_id = pictures.paths[row], pictures.ids[row]
            try:
                data = read(items[path])
            except BadPictureError:
                data = b""
            if hashlib.sha256(data).hexdigest() != image_id:
                logging.warning("%s was changed while it was read", printable(path))
                continue
            name = f"{number:02d}-{image_id}.{pictures.kinds[row][0].lower()}"
            write_atomically(os.path.join(folder, name), data)
