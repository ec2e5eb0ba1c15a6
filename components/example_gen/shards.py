"""Turns a share of the pictures into files of records; runs inside Beam workers.

A shard reads its pictures one by one and appends each to the file of its split, so memory holds one
picture, and the same source always gives the same files, whatever the runner does.
"""

import collections
import contextlib
import dataclasses
import hashlib
import itertools
import math
import os
import threading
import uuid
from collections.abc import Sequence

import apache_beam as beam
import tensorflow as tf

from components import features, progress
from components.example_gen import artifact_folder, pictures, readers
from components.example_gen.config import DataSettings
from components.example_gen.source import FILES, Item, Source
from components.example_gen.splits import assign_split
from components.example_gen.summary import Quarantined, ShardReport
from components.example_gen.walk import to_utf8

# Small enough to spread over workers and to shuffle, large enough not to drown in files.
_SHARD_BYTES = 32_000_000

# A tf.train.Example ends at 2 GB; no photograph comes near this.
_MAX_BYTES = 500_000_000

# Level 1: pictures are compressed already.
_RECORDS = tf.io.TFRecordOptions(compression_type=features.COMPRESSION, compression_level=1)


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
        settings: Limits and shares.
        splits: The splits that the source brings along.
        total: Number of items of all shards.
        kind: How the pictures are read, see `Source`.
        columns: Names of the further columns that the records hold.
        labelled: Ids of the labelled pictures, whose copies a source of unlabelled ones loses.
    """

    root: str
    staging: str
    settings: DataSettings
    splits: frozenset[str]
    total: int
    kind: str = FILES
    columns: tuple[str, ...] = ()
    labelled: frozenset[str] = frozenset()

    @property
    def written(self) -> tuple[str, ...]:
        """The splits that the items may end in."""
        unlabelled = features.UNLABELLED in self.splits
        return (features.UNLABELLED,) if unlabelled else features.SPLITS


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


def image_ids(files: Sequence[str]) -> frozenset[str]:
    """The ids of all pictures in files of records."""
    spec = {features.IMAGE_ID: tf.io.FixedLenFeature([], tf.string)}
    records = tf.data.TFRecordDataset(files, features.COMPRESSION).batch(1024)
    return frozenset(
        image_id.decode()
        for batch in records
        for image_id in tf.io.parse_example(batch, spec)[features.IMAGE_ID].numpy()
    )


def report_path(staging: str, index: int) -> str:
    """Where a finished shard's `ShardReport` lies."""
    return os.path.join(staging, f"report-{index:05d}.json")


def write_shard(shard: Shard, plan: Plan, read: readers.Read) -> None:
    """Writes the shard's records into the staging folder and, when they are complete, its report.

    May run twice, even at once: each attempt has its own files, the report names those of one.

    Args:
        shard: what to write.
        plan: that of all shards.
        read: gives the bytes of an item.
    """
    attempt = os.path.join(plan.staging, f"{shard.index:05d}-{uuid.uuid4().hex}")
    files = {split: f"{attempt}-{split}.gz" for split in plan.written}
    counts = {split: collections.Counter() for split in plan.written}
    quarantined, reencoded, copies = [], 0, 0
    with contextlib.ExitStack() as stack:
        writers = {
            split: stack.enter_context(tf.io.TFRecordWriter(path, _RECORDS))
            for split, path in files.items()
        }
        for item in shard.items:
            try:
                _check_size(item)
                data = read(item)
                stored = pictures.check_picture(data, plan.settings.max_pixels)
            except pictures.BadPictureError as error:
                quarantined.append(Quarantined(to_utf8(item.path), str(error)))
            else:
                image_id = hashlib.sha256(data).hexdigest()
                if image_id in plan.labelled:
                    copies += 1
                else:
                    split = assign_split(image_id, item.split, plan.splits, plan.settings.split)
                    writers[split].write(_example(stored, item, image_id, split, plan.columns))
                    counts[split][item.label] += 1
                    reencoded += stored is not data
            _done.step(plan.total)
    report = ShardReport(
        files=files,
        counts={split: dict(of_split) for split, of_split in counts.items()},
        quarantined=quarantined,
        reencoded=reencoded,
        copies=copies,
    )
    artifact_folder.write_text(report_path(plan.staging, shard.index), report.to_json())


def start_count() -> None:
    """Sets the count of pictures that progress reports give to zero."""
    _done.reset()


def _check_size(item: Item) -> None:
    if item.size > _MAX_BYTES:
        raise pictures.BadPictureError(f"{item.size:,} bytes, more than {_MAX_BYTES:,}")


def _example(image: bytes, item: Item, image_id: str, split: str, columns: Sequence[str]) -> bytes:
    """One serialised `tf.train.Example`, as `components.features` describes it."""

    def text(value: str) -> tf.train.Feature:
        return _bytes(value.encode())

    # Unlabelled pictures, which come from elsewhere, have none of the columns' values.
    values = itertools.zip_longest(columns, item.columns, fillvalue="")
    example = tf.train.Example(
        features=tf.train.Features(
            feature={
                features.IMAGE: _bytes(image),
                features.LABEL: text(item.label),
                features.IMAGE_ID: text(image_id),
                features.SPLIT: text(split),
                features.PATH: text(to_utf8(item.path)),
                features.VIEW: tf.train.Feature(int64_list=tf.train.Int64List(value=[0])),
                **{features.column_feature(name): text(value) for name, value in values},
            }
        )
    )
    return example.SerializeToString(deterministic=True)


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


class _Count:
    """Pictures done in this process, by all threads of the runner together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0

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
