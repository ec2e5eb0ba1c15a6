"""Turns a share of the pictures into files of records; runs inside Beam workers.

A shard reads its pictures one by one, looks at two large ones at once, and appends each to a file
of records and a row to a table, in their order: memory holds the pixels of two pictures, and the
same source always gives the same files, whatever the runner does.
Which split a picture belongs to is decided when all have been read (`components.example_gen.deal`).
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import itertools
import math
import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import apache_beam as beam
import numpy as np
import tensorflow as tf

from components import features, progress
from components.example_gen.fixes import DROP, Fix
from components.example_gen.inspection import facts, perceptual_hash, pictures
from components.example_gen.inspection.picture_table import StagedWriter
from components.example_gen.reading import readers
from components.example_gen.reading.source import FILES, Item, Source
from components.example_gen.reading.walk import to_utf8
from components.example_gen.summary import Quarantined, ShardReport
from components.files import write_atomically

# Small enough to spread over workers and to shuffle, large enough not to drown in files.
_SHARD_BYTES = 32_000_000

# A tf.train.Example ends at 2 GB; no photograph comes near this.
_MAX_BYTES = 500_000_000

# Large pictures looked at, by as many threads: decoding leaves Python's lock to the others. Small
# ones, in bytes, would wait for the lock and for one another.
_AT_ONCE, _LARGE = 2, 200_000


@dataclasses.dataclass(frozen=True)
class Shard:
    """The pictures of one shard, in the order of their records."""

    index: int
    items: tuple[Item, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What all shards have in common.

    Attributes:
        root: Folder that the items' paths start from.
        staging: Folder for unfinished files.
        max_pixels: Width x height above which a picture is set aside.
        total: Number of items of all shards.
        kind: How the pictures are read, see `Source`.
        columns: Names of the further columns that the records hold.
        fixes: What to do with some pictures, by content id.
    """

    root: str
    staging: str
    max_pixels: int
    total: int
    kind: str = FILES
    columns: tuple[str, ...] = ()
    fixes: Mapping[str, Fix] = dataclasses.field(default_factory=dict)


def plan_shards(source: Source) -> list[Shard]:
    """Deals the items out to shards of about 32 MB, in an order that mixes the classes.

    The order comes from a hash of the paths: the same on every run.
    """
    items = sorted(source.items, key=lambda item: hashlib.sha256(os.fsencode(item.path)).digest())
    number = max(1, math.ceil(source.total_bytes / _SHARD_BYTES))
    starts = [len(items) * index // number for index in range(number + 1)]
    return [
        Shard(index, tuple(items[start:end]))
        for index, (start, end) in enumerate(itertools.pairwise(starts))
    ]


class WriteShard(beam.DoFn):
    """Beam step that writes one `Shard` per element. Gives no output: see `report_path`."""

    def __init__(self, plan: Plan):
        self._plan = plan

    def setup(self) -> None:
        # Once for all shards of a worker: the table of contents of a large archive takes seconds.
        self._opened = contextlib.ExitStack()
        self._read = self._opened.enter_context(
            readers.open_reader(self._plan.kind, self._plan.root)
        )

    def process(self, shard: Shard) -> None:
        """Writes one shard."""
        write_shard(shard, self._plan, self._read)

    def teardown(self) -> None:
        self._opened.close()


def report_path(staging: str, index: int) -> str:
    """Where a finished shard's `ShardReport` lies."""
    return os.path.join(staging, f"report-{index:05d}.json")


def write_shard(shard: Shard, plan: Plan, read: readers.Read) -> None:
    """Writes the shard's records and rows to the staging folder and, when all is there, its report.

    May run twice, even at once: each attempt has its own files, the report names those of one.

    Args:
        shard: what to write.
        plan: that of all shards.
        read: gives the bytes of an item.
    """
    attempt = os.path.join(plan.staging, f"{shard.index:05d}-{uuid.uuid4().hex}")
    files = {"records": f"{attempt}.tfrecord", "rows": f"{attempt}.parquet"}
    quarantined, converted, fixed, dropped = [], Counter(), [], 0
    columns = [features.column_feature(name) for name in plan.columns]
    with (
        tf.io.TFRecordWriter(files["records"]) as records,
        StagedWriter(files["rows"], columns) as rows,
        ThreadPoolExecutor(_AT_ONCE) as threads,
    ):
        begun_items = ((item, _begin(item, plan, read, threads)) for item in shard.items)
        for item, begun in _ahead(begun_items):
            seen = None
            if begun.fix:
                fixed.append(begun.image_id)
            if begun.is_dropped:
                dropped += 1
            else:
                try:
                    seen = begun.look()
                except pictures.BadPictureError as error:
                    quarantined.append(Quarantined(to_utf8(item.path), str(error)))
            if seen:
                label = begun.fix.label if begun.fix else item.label
                path = to_utf8(item.path)
                # Unlabelled pictures come from elsewhere and have nothing in the columns.
                values = itertools.zip_longest(columns, item.columns, fillvalue="")
                more = {**dataclasses.asdict(seen.measured), **dict(values)}
                records.write(_example(seen.stored, begun.image_id, path, label, more))
                rows.write(
                    begun.image_id,
                    path,
                    label,
                    item.split,
                    seen.mode,
                    more,
                    seen.hashes,
                    seen.thumbnail,
                )
                converted[seen.measured.format] += seen.is_converted
            _done.step(plan.total)
    report = ShardReport(
        **files,
        pictures=len(shard.items) - len(quarantined) - dropped,
        quarantined=quarantined,
        converted=dict(+converted),
        fixed=fixed,
        dropped=dropped,
    )
    write_atomically(report_path(plan.staging, shard.index), report.to_json())


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What is kept of a picture: its pixels are not."""

    stored: bytes
    mode: str
    is_converted: bool
    measured: facts.Facts
    hashes: np.ndarray
    thumbnail: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Begun:
    """An item that was read, or could not be.

    Attributes:
        look: gives what was seen of it, or raises a `BadPictureError`.
        image_id: its content id.
        fix: what the user has decided about it.
    """

    look: Callable[[], _Seen]
    image_id: str = ""
    fix: Fix | None = None

    @property
    def is_dropped(self) -> bool:
        return self.fix is not None and self.fix.action == DROP


def _begin(item: Item, plan: Plan, read: readers.Read, threads: ThreadPoolExecutor) -> _Begun:
    """Reads an item, here, as readers have one place in a file; a thread looks at a large one."""
    try:
        _check_size(item)
        data = read(item)
    except pictures.BadPictureError as error:
        return _Begun(functools.partial(_fail, error))
    look = functools.partial(_look_at, data, plan.max_pixels)
    image_id = hashlib.sha256(data).hexdigest()
    begun = _Begun(look, image_id, plan.fixes.get(image_id))
    if len(data) < _LARGE or begun.is_dropped:
        return begun
    return dataclasses.replace(begun, look=threads.submit(look).result)


def _fail(error: pictures.BadPictureError) -> _Seen:
    raise error


def _look_at(data: bytes, max_pixels: int) -> _Seen:
    """Decodes and measures a picture.

    Raises:
        BadPictureError: see `check_picture`.
    """
    picture = pictures.check_picture(data, max_pixels)
    image = facts.reduced(picture)
    hashed, thumbnail = perceptual_hash.thumbnails(image)
    return _Seen(
        picture.stored,
        picture.mode,
        picture.is_converted,
        facts.measure(image, picture, len(data)),
        perceptual_hash.hashes(hashed),
        thumbnail,
    )


def _ahead(begun_items: Iterator[tuple[Item, _Begun]]) -> Iterator[tuple[Item, _Begun]]:
    """The same in the same order, each after the next ones have been begun."""
    waiting = collections.deque()
    for one in begun_items:
        waiting.append(one)
        if len(waiting) > _AT_ONCE:
            yield waiting.popleft()
    yield from waiting


def start_count() -> None:
    """Sets the count of pictures that progress reports give to zero."""
    _done.reset()


def _check_size(item: Item) -> None:
    if item.size > _MAX_BYTES:
        raise pictures.BadPictureError(f"{item.size:,} bytes, more than {_MAX_BYTES:,}")


def _example(
    image: bytes, image_id: str, path: str, label: str, more: dict[str, str | int | float]
) -> bytes:
    """One serialised `tf.train.Example`, as `components.features` describes it, without `split`."""
    values = {
        features.IMAGE: image,
        features.LABEL: label,
        features.IMAGE_ID: image_id,
        features.PATH: path,
        features.VIEW: 0,
        **more,
    }
    example = tf.train.Example()
    for name, value in values.items():
        feature = example.features.feature[name]
        if isinstance(value, float):
            feature.float_list.value.append(value)
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            feature.bytes_list.value.append(value.encode() if isinstance(value, str) else value)
    return example.SerializeToString(deterministic=True)


class _Count:
    """Pictures done in this process, by all threads of the runner together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self._number = 0

    def step(self, total: int) -> None:
        """Counts one more; reports about a hundred times."""
        with self._lock:
            self._number += 1
            if self._number % max(1, total // 100) == 0 or self._number == total:
                progress.report("pictures", self._number, total)


_done = _Count()
