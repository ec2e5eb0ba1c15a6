"""`pictures.parquet`: one row per picture, with what was measured of it.

While pictures are read, every shard has a table of its own, which holds hashes, a thumbnail and
the colour mode in place of group and split. Tables are written and read a thousand rows at a time.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components import features
from components.example_gen.inspection.facts import Facts
from components.example_gen.inspection.perceptual_hash import FORMS, THUMBNAIL

_GIVEN_SPLIT, _HASHES, _THUMBNAIL = "given_split", "hashes", "thumbnail"
_MODE = "mode"
_ROWS_AT_ONCE = 1000

_TYPES = {int: pa.int64(), float: pa.float32(), str: pa.string()}
_FACTS = [pa.field(fact.name, _TYPES[fact.type]) for fact in dataclasses.fields(Facts)]
_NAMES = [pa.field(name, pa.string()) for name in (features.IMAGE_ID, features.PATH)]


def _staged(columns: Sequence[str]) -> pa.Schema:
    return pa.schema(
        [
            *_NAMES,
            pa.field(features.LABEL, pa.string()),
            pa.field(_GIVEN_SPLIT, pa.string()),
            pa.field(_MODE, pa.string()),
            *_FACTS,
            *[pa.field(name, pa.string()) for name in columns],
            pa.field(_HASHES, pa.binary(8 * FORMS)),
            pa.field(_THUMBNAIL, pa.binary(THUMBNAIL**2)),
        ]
    )


def _published(columns: Sequence[str]) -> pa.Schema:
    return pa.schema(
        [
            *_NAMES,
            pa.field(features.GROUP, pa.string()),
            pa.field(features.LABEL, pa.string()),
            pa.field(features.SPLIT, pa.string()),
            *_FACTS,
            *[pa.field(name, pa.string()) for name in columns],
        ]
    )


class StagedWriter:
    """Writes the table of one shard. A context manager; the file is complete when it ends."""

    def __init__(self, path: str, columns: Sequence[str] = ()):
        """Begins the file.

        Args:
            path: Where to.
            columns: Names of further columns, as features have them.
        """
        self._schema = _staged(columns)
        self._writer = pq.ParquetWriter(path, self._schema)
        self._rows: list[dict] = []

    def write(
        self,
        image_id: str,
        path: str,
        label: str,
        given_split: str | None,
        mode: str,
        facts: Mapping[str, int | float | str],
        hashes: np.ndarray,
        thumbnail: np.ndarray,
    ) -> None:
        """Adds a picture.

        Args:
            image_id: Its content id.
            path: Where it came from.
            label: Its class; empty for an unlabelled one.
            given_split: The split that the source puts it in, or None.
            mode: Colour mode of the file, see `Picture`.
            facts: The fields of `Facts`, and the further columns.
            hashes: uint64 [8].
            thumbnail: uint8 [16, 16].
        """
        self._rows.append(
            {
                features.IMAGE_ID: image_id,
                features.PATH: path,
                features.LABEL: label,
                _GIVEN_SPLIT: given_split,
                _MODE: mode,
                **facts,
                _HASHES: hashes.astype("<u8").tobytes(),
                _THUMBNAIL: thumbnail.tobytes(),
            }
        )
        if len(self._rows) == _ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
        self._rows.clear()

    def __enter__(self) -> "StagedWriter":
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._flush()
        self._writer.close()


@dataclasses.dataclass(frozen=True)
class Pictures:
    """What groups, splits and kept originals are decided by: row by row of all shards.

    Attributes:
        ids: Content ids.
        paths: Where they came from.
        labels: Class names; empty for unlabelled pictures.
        given: The splits that the source puts them in, or None.
        sides: int64 [rows], the shorter side in pixels.
        hashes: uint64 [rows, 8].
        thumbnails: uint8 [rows, 16, 16].
        kinds: Format, Exif orientation and colour mode of the files.
    """

    ids: list[str]
    paths: list[str]
    labels: list[str]
    given: list[str | None]
    sides: np.ndarray
    hashes: np.ndarray
    thumbnails: np.ndarray
    kinds: list[tuple[str, int, str]]


def read_staged(paths: Sequence[str]) -> Pictures:
    """Reads the tables of all shards, less most facts."""
    names = [features.IMAGE_ID, features.PATH, features.LABEL, _GIVEN_SPLIT, "width", "height"]
    of_kind = ["format", "orientation", _MODE]
    columns = [*names, *of_kind, _HASHES, _THUMBNAIL]
    table = pa.concat_tables([pq.read_table(path, columns=columns) for path in paths])

    def array(name: str, kind: str) -> np.ndarray:
        return np.frombuffer(b"".join(table[name].to_pylist()), kind)

    return Pictures(
        ids=table[features.IMAGE_ID].to_pylist(),
        paths=table[features.PATH].to_pylist(),
        labels=table[features.LABEL].to_pylist(),
        given=table[_GIVEN_SPLIT].to_pylist(),
        sides=np.minimum(table["width"].to_numpy(), table["height"].to_numpy()),
        hashes=array(_HASHES, "<u8").reshape(-1, FORMS),
        thumbnails=array(_THUMBNAIL, "u1").reshape(-1, THUMBNAIL, THUMBNAIL),
        kinds=list(zip(*(table[name].to_pylist() for name in of_kind), strict=True)),
    )


def publish(
    staged: Sequence[str],
    groups: Sequence[str],
    splits: Sequence[str | None],
    path: str,
    columns: Sequence[str] = (),
) -> None:
    """Makes `pictures.parquet` of the tables of all shards.

    Args:
        staged: Their paths.
        groups: Id of each row's group.
        splits: Each row's split; rows without one are left out.
        path: The file to write.
        columns: Names of further columns.
    """
    schema, start = _published(columns), 0
    with pq.ParquetWriter(path, schema) as writer:
        for rows in _batches(staged):
            end = start + rows.num_rows
            table = (
                pa.Table.from_batches([rows])
                .append_column(features.GROUP, pa.array(groups[start:end], pa.string()))
                .append_column(features.SPLIT, pa.array(splits[start:end], pa.string()))
            )
            table = table.filter(table[features.SPLIT].is_valid())
            writer.write_table(table.select(schema.names).cast(schema))
            start = end


def _batches(staged: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for path in staged:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(_ROWS_AT_ONCE)
