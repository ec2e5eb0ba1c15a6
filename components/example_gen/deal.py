"""Deals the records of a shard out to the files of the splits; runs inside Beam workers."""

import contextlib
import dataclasses
import json
import os
import uuid

import apache_beam as beam
import tensorflow as tf

from components import features
from components.files import write_atomically

# Level 0: pictures are compressed already, and TFX knows examples with GZIP around them alone.
_RECORDS = tf.io.TFRecordOptions(compression_type=features.COMPRESSION, compression_level=0)


@dataclasses.dataclass(frozen=True)
class Deal:
    """Which splits the records of one shard go to.

    Attributes:
        index: Number of the shard.
        records: File of all its records.
        splits: The split of each record; None: it is left out.
        written: The splits to write files of, empty ones too.
    """

    index: int
    records: str
    splits: tuple[str | None, ...]
    written: tuple[str, ...]


class DealShard(beam.DoFn):
    """Beam step that deals out one `Deal` per element. Gives no output: see `dealt_path`."""

    def __init__(self, staging: str):
        self._staging = staging

    def process(self, deal: Deal) -> None:
        """Deals out one shard."""
        deal_shard(deal, self._staging)


def dealt_path(staging: str, index: int) -> str:
    """Where the paths of a shard's files by split lie, as JSON, when these are complete."""
    return os.path.join(staging, f"dealt-{index:05d}.json")


def deal_shard(deal: Deal, staging: str) -> None:
    """Writes a shard's records to one file per split, each with the feature `split`.

    May run twice, even at once: each attempt has its own files.
    """
    attempt = os.path.join(staging, f"{deal.index:05d}-{uuid.uuid4().hex}")
    files = {split: f"{attempt}-{split}.gz" for split in deal.written}
    with contextlib.ExitStack() as stack:
        writers = {
            split: stack.enter_context(tf.io.TFRecordWriter(path, _RECORDS))
            for split, path in files.items()
        }
        records = tf.data.TFRecordDataset(deal.records).as_numpy_iterator()
        for record, split in zip(records, deal.splits, strict=True):
            if split is not None:
                example = tf.train.Example.FromString(record)
                example.features.feature[features.SPLIT].bytes_list.value.append(split.encode())
                writers[split].write(example.SerializeToString(deterministic=True))
    write_atomically(dealt_path(staging, deal.index), json.dumps(files))
