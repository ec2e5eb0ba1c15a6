import concurrent.futures
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import UserError
from components.example_gen.splitting import split_ledger
from components.example_gen.splitting.split_ledger import (
    Entry,
    Ledger,
    ledger_fingerprint,
    ledger_inputs,
    read_ledger,
    write_ledger,
)

ENTRIES = {"b": Entry("b", "train"), "a": Entry("b", "test")}


@pytest.fixture
def path(tmp_path) -> str:
    return str(tmp_path / "splits.parquet")


def test_it_remembers(path):
    assert read_ledger(path) == Ledger()
    write_ledger(path, Ledger(), ENTRIES, "inputs")
    ledger = read_ledger(path)
    assert (ledger.entries, ledger.inputs, ledger.before) == (ENTRIES, "inputs", "")
    write_ledger(path, ledger, {"c": Entry("c", "validation")}, "more")
    again = read_ledger(path)
    assert again.entries == {**ENTRIES, "c": Entry("c", "validation")}
    assert (again.inputs, again.before) == ("more", ledger.digest)
    assert pq.read_table(path).to_pydict() == {
        "id": ["a", "b", "c"],
        "group": ["b", "b", "c"],
        "split": ["test", "train", "validation"],
    }


def test_a_run_finds_its_own_result_again(path):
    before = ledger_fingerprint(path, "first")
    write_ledger(path, Ledger(), ENTRIES, "first")
    assert ledger_fingerprint(path, "first") == before == ""
    # Other pictures, or settings, meet the ledger as it is now.
    changed = ledger_fingerprint(path, "second")
    assert changed == read_ledger(path).digest
    write_ledger(path, read_ledger(path), {"c": Entry("c", "test")}, "second")
    assert ledger_fingerprint(path, "second") == changed
    assert ledger_fingerprint(path, "first") not in ("", changed)
    assert ledger_fingerprint("", "first") == ""


def test_a_link_to_a_ledger_that_others_use_stays_one_and_has_its_lock(path, tmp_path):
    (tmp_path / "mine").mkdir()
    link = tmp_path / "mine" / "link.parquet"
    link.symlink_to(path)
    write_ledger(str(link), Ledger(), ENTRIES, "inputs")
    assert read_ledger(path).entries == ENTRIES
    with split_ledger.locked(str(link)):
        assert (tmp_path / ".splits.parquet.lock").exists()
    assert list((tmp_path / "mine").iterdir()) == [link]


def test_damage_is_told_with_what_to_do(path):
    write_ledger(path, Ledger(), ENTRIES, "inputs")
    with open(path, "rb") as file:
        whole = file.read()
    for content in (b"", b"text", whole[:-20], whole[: len(whole) // 2]):
        with open(path, "wb") as file:
            file.write(content)
        with pytest.raises(
            UserError, match=r"split_ledger .*splits.parquet is damaged .*copy of it"
        ):
            read_ledger(path)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"id": ["a"], "split": ["train"]}, "group"),
        ({"id": [*"ab"], "group": [*"ab"], "split": ["tset", "aside"]}, "aside is no split"),
        ({"id": ["a"], "group": ["a"], "split": [None]}, "None is no split"),
        ({"id": ["a", "a"], "group": ["a", "a"], "split": ["test", "train"]}, "a picture twice"),
    ],
)
def test_other_tables_are_no_ledger(path, columns, reason):
    pq.write_table(pa.table(columns), path)
    with pytest.raises(UserError, match=f"is damaged .*{reason}"):
        read_ledger(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gs://bucket/splits.parquet", "is a remote address"),
        ("nowhere/splits.parquet", "there is no such folder"),
        ("", "it is a folder"),
    ],
)
def test_where_it_cannot_lie(tmp_path, name, reason):
    path = name if "://" in name else str(tmp_path / name)
    with pytest.raises(UserError, match=f"data.split_ledger .*{reason}"):
        read_ledger(path)
    with pytest.raises(UserError, match=f"data.split_ledger .*{reason}"), split_ledger.locked(path):
        pass


def test_two_runs_take_turns(path):
    def add(number: int) -> None:
        with split_ledger.locked(path):
            ledger = read_ledger(path)
            time.sleep(0.05)
            write_ledger(path, ledger, {str(number): Entry(str(number), "train")}, "")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    assert set(read_ledger(path).entries) == {"0", "1", "2", "3"}


def test_a_ledger_that_is_kept_too_long(path, monkeypatch):
    monkeypatch.setattr(split_ledger, "_LOCK_SECONDS", 0.05)
    with (
        split_ledger.locked(path),
        pytest.raises(UserError, match="in use by another run"),
        split_ledger.locked(path),
    ):
        pass


def test_ledgers_side_by_side_do_not_wait_for_each_other(path, tmp_path, monkeypatch):
    monkeypatch.setattr(split_ledger, "_LOCK_SECONDS", 0.05)
    with split_ledger.locked(path), split_ledger.locked(str(tmp_path / "others.parquet")):
        pass


def test_inputs_change_with_the_pictures_and_with_the_settings():
    pairs = [("a", "b"), ("b", "a"), ("a", "c"), ("c", "b"), ("ab", "")]
    assert len({ledger_inputs(*pair) for pair in pairs}) == len(pairs)


def test_a_ledger_that_others_made_is_taken(path):
    table = {"id": ["b", "a"], "group": ["b", "b"], "split": ["train", "test"]}
    pq.write_table(pa.table(table), path)
    ledger = read_ledger(path)
    assert (ledger.entries, ledger.inputs, ledger.before) == (ENTRIES, "", "")
    assert ledger_fingerprint(path, "first") == ledger.digest
