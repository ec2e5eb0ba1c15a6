"""The split ledger: a Parquet file that remembers which split every picture was put into.

With it the ratios are kept to within one picture per class, no picture ever moves, and newcomers
go where the ratios want them. Columns: `id`, `group`, `split`.
"""

import contextlib
import dataclasses
import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import filelock
import pyarrow as pa
import pyarrow.parquet as pq

from components import features
from components.errors import UserError
from components.files import write_atomically
from components.text import one_line, printable

_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "group", "split")])
# What the last update was made for, and the digest of the ledger before it.
_INPUTS, _BEFORE = b"graft.inputs", b"graft.before"
_LOCK_SECONDS = 1800


@dataclasses.dataclass(frozen=True)
class Entry:
    """What the ledger knows of a picture: its duplicate group and its split."""

    group: str
    split: str


@dataclasses.dataclass(frozen=True)
class Ledger:
    """The content of a ledger.

    Attributes:
        entries: By content id.
        digest: Of the file; empty if there is none.
        inputs: What the last update was made for, see `ledger_inputs`.
        before: Digest of the file before that update.
    """

    entries: Mapping[str, Entry] = dataclasses.field(default_factory=dict)
    digest: str = ""
    inputs: str = ""
    before: str = ""


def read_ledger(path: str) -> Ledger:
    """Reads a ledger; an empty one if there is no file yet.

    Args:
        path: Local path.

    Raises:
        UserError: It cannot lie there, or is damaged.
    """
    file = _local(path)
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return Ledger()
    try:
        table = pq.read_table(io.BytesIO(content))
        metadata = table.schema.metadata or {}
        columns = [table[name].to_pylist() for name in _SCHEMA.names]
        entries = {i: Entry(group, split) for i, group, split in zip(*columns, strict=True)}
        wrong = {entry.split for entry in entries.values()}.difference(features.SPLITS)
        if wrong:
            raise ValueError(f"{min(map(str, wrong))} is no split")
        if len(entries) < table.num_rows:
            raise ValueError("it holds a picture twice")
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        raise UserError(
            f"data.split_ledger {printable(path)} is damaged ({one_line(error, 120)}): put a copy "
            "of it back, or remove it; without it the pictures are dealt out anew, and test "
            "pictures may have been trained on"
        ) from error
    return Ledger(
        entries,
        hashlib.sha256(content).hexdigest(),
        metadata.get(_INPUTS, b"").decode(),
        metadata.get(_BEFORE, b"").decode(),
    )


def write_ledger(path: str, before: Ledger, new: Mapping[str, Entry], inputs: str) -> None:
    """Adds pictures to a ledger; the file is there whole or as it was.

    Args:
        path: Local path.
        before: What is there now.
        new: By content id.
        inputs: What they came of, see `ledger_inputs`.
    """
    rows = sorted((i, entry.group, entry.split) for i, entry in (before.entries | new).items())
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    schema = _SCHEMA.with_metadata({_INPUTS: inputs, _BEFORE: before.digest})
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), file)
    write_atomically(path, file.getvalue())


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Keeps other runs from the ledger meanwhile.

    Raises:
        UserError: Another run has kept it for half an hour.
    """
    file = _local(path)
    try:
        with filelock.FileLock(file.with_name(f".{file.name}.lock"), timeout=_LOCK_SECONDS):
            yield
    except filelock.Timeout as error:
        raise UserError(
            f"data.split_ledger {printable(path)} is in use by another run: wait for it to end"
        ) from error


def ledger_inputs(input_fingerprint: str, settings: str) -> str:
    """Changes when the pictures or the settings, `DataSettings` as JSON, do."""
    return hashlib.sha256(f"{input_fingerprint}\0{settings}".encode()).hexdigest()


def ledger_fingerprint(path: str, inputs: str) -> str:
    """What a ledger adds to the key that a run's result is cached by.

    A run adds its pictures to the ledger. The same run again finds these and changes nothing, so
    it must find its earlier result too: the key is then that of the ledger before.

    Args:
        path: Local path; empty: no ledger.
        inputs: See `ledger_inputs`.

    Raises:
        UserError: The ledger cannot be used.
    """
    if not path:
        return ""
    ledger = read_ledger(path)
    return ledger.before if ledger.inputs == inputs else ledger.digest


def _local(path: str) -> Path:
    if "://" in path:
        raise UserError(
            f"data.split_ledger {printable(path)} is a remote address: a ledger is changed in "
            "place, so give a path on this machine or on a volume that all runs share"
        )
    file = Path(os.path.realpath(path))  # whose lock all hold who have a link to it
    if not file.parent.is_dir() or file.is_dir():
        raise UserError(
            f"data.split_ledger {printable(path)} cannot be a file: "
            + ("it is a folder" if file.is_dir() else "there is no such folder")
            + "; give the path of a .parquet file in a folder that is there"
        )
    return file
