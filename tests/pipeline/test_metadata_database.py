"""A damaged database is set aside with the artifacts that only it knew."""

import contextlib
import sqlite3

import pytest
from ml_metadata import MetadataStore, proto

from pipeline.metadata_database import (
    DATABASE,
    open_store,
    remove_unfinished,
    set_aside_if_damaged,
)


@pytest.fixture
def folder(tmp_path):
    """What an earlier run left."""
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.execute("CREATE TABLE Execution (id INTEGER, note TEXT)")
        rows = [(number, "x" * 100) for number in range(1000)]
        connection.executemany("INSERT INTO Execution VALUES (?, ?)", rows)
    connection.close()
    for name in ("artifacts", "manifests"):
        (tmp_path / name / "Trainer").mkdir(parents=True)
    return tmp_path


def overwrite_a_page(file, begin=20_480, size=4096):
    """Damage that opening the file does not find."""
    data = file.read_bytes()
    file.write_bytes(data[:begin] + b"\xff" * size + data[begin + size :])


def test_a_whole_database_stays(folder):
    assert set_aside_if_damaged(folder) == ""
    assert {path.name for path in folder.iterdir()} == {DATABASE, "artifacts", "manifests"}


def test_the_first_run_has_no_database_yet(tmp_path):
    assert set_aside_if_damaged(tmp_path) == ""
    assert set_aside_if_damaged(tmp_path / "missing") == ""


def test_a_database_of_a_first_run_that_was_killed_at_once_is_not_damaged(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.execute("CREATE TABLE gone (id INTEGER)")
        connection.execute("DROP TABLE gone")
    assert (tmp_path / DATABASE).stat().st_size
    assert set_aside_if_damaged(tmp_path) == ""
    (tmp_path / "artifacts" / "Trainer").mkdir(parents=True)
    assert "is missing or empty" in set_aside_if_damaged(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.unlink(), "is missing or empty"),
        (lambda file: file.write_bytes(b""), "is missing or empty"),
        (lambda file: file.write_bytes(b"garbage" * 1000), "is damaged"),
        (lambda file: file.write_bytes(file.read_bytes()[:20_000]), "is damaged"),
        (lambda file: file.write_bytes(file.read_bytes()[:50]), "is damaged"),
        (lambda file: overwrite_a_page(file, 47, 1), "is damaged"),
        (overwrite_a_page, "is damaged"),
    ],
)
def test_a_damaged_database_is_set_aside_and_said(folder, spoil, words):
    spoil(folder / DATABASE)
    message = set_aside_if_damaged(folder)
    assert message.startswith(f"{folder / DATABASE} {words}") and "every node runs again" in message
    (aside,) = (folder / "damaged").iterdir()
    assert str(aside) in message
    assert {path.name for path in folder.iterdir()} == {"damaged"}
    assert {"artifacts", "manifests"} <= {path.name for path in aside.iterdir()}
    assert set_aside_if_damaged(folder) == "", "the next run begins anew"


def test_a_database_that_is_locked_is_not_damaged(folder, monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda file: connect(file, timeout=0))
    with contextlib.closing(connect(folder / DATABASE)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OSError, match=f"^{folder / DATABASE}: database is locked$"):
            set_aside_if_damaged(folder)
    test_a_whole_database_stays(folder)


def test_an_unfinished_transaction_goes_with_its_database(folder):
    (folder / f"{DATABASE}-journal").write_bytes(b"half of it")
    (folder / DATABASE).unlink()
    set_aside_if_damaged(folder)
    (aside,) = (folder / "damaged").iterdir()
    assert (aside / f"{DATABASE}-journal").read_bytes() == b"half of it"


def test_an_empty_folder_of_artifacts_is_no_sign_of_a_database_that_is_gone(tmp_path):
    (tmp_path / "artifacts").mkdir()
    assert set_aside_if_damaged(tmp_path) == ""


def test_a_folder_without_a_database_is_read_without_making_one(tmp_path):
    assert open_store(tmp_path) is None and remove_unfinished(tmp_path) == (0, 0)
    assert list(tmp_path.iterdir()) == []


def test_what_was_being_written_goes_and_nothing_whose_number_only_begins_alike(tmp_path):
    sqlite = proto.SqliteMetadataSourceConfig(
        filename_uri=str(tmp_path / DATABASE),
        connection_mode=proto.SqliteMetadataSourceConfig.READWRITE_OPENCREATE,
    )
    store = MetadataStore(proto.ConnectionConfig(sqlite=sqlite))
    kind = store.put_execution_type(proto.ExecutionType(name="node"))
    states = [proto.Execution.RUNNING] * 2 + [proto.Execution.COMPLETE] * 9
    states[2] = proto.Execution.FAILED  # which has tidied up, or left what tells why
    store.put_executions([proto.Execution(type_id=kind, last_known_state=one) for one in states])
    for place in ("model/1", "model_run/1", "model/2", "model/3", "model/10", "model/11"):
        folder = tmp_path / "artifacts" / "Trainer" / place
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(b"x" * 100)
    assert remove_unfinished(tmp_path) == (3, 300)
    left = sorted(path.parent.name for path in tmp_path.rglob("data"))
    assert left == ["10", "11", "3"]
