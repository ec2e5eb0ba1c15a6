import contextlib
import dataclasses
import hashlib
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components import features, progress
from components.example_gen import shards
from components.example_gen.fixes import DROP, RELABEL, Fix
from components.example_gen.inspection import picture_table
from components.example_gen.reading import readers, sources
from components.example_gen.summary import ShardReport


@pytest.fixture(scope="module")
def source(tmp_path_factory, fill):
    return sources.list_folder(fill(tmp_path_factory.mktemp("source"), {"a": 30, "b": 30}))


def _write(source, staging, fixes=None) -> ShardReport:
    """Writes the whole source as one shard."""
    (shard,) = shards.plan_shards(source)
    total = len(source.items)
    plan = shards.Plan(source.root, str(staging), 10**6, total, fixes=fixes or {})
    with readers.open_reader(plan.kind, plan.root) as read:
        shards.write_shard(shard, plan, read)
    with open(shards.report_path(str(staging), shard.index)) as file:
        return ShardReport.from_json(file.read())


@pytest.mark.parametrize("shard_bytes", [1, 5_000, 10**9])
def test_shards_hold_every_item_once_in_one_order(source, monkeypatch, shard_bytes):
    (whole,) = shards.plan_shards(source)
    monkeypatch.setattr(shards, "_SHARD_BYTES", shard_bytes)
    planned = shards.plan_shards(source)
    assert [shard.index for shard in planned] == list(range(len(planned)))
    assert sum((shard.items for shard in planned), ()) == whole.items
    assert sorted(item.path for item in whole.items) == [item.path for item in source.items]
    assert whole.items != source.items


def test_a_repeated_shard_replaces_its_report_and_not_its_records(source, tmp_path):
    first = _write(source, tmp_path)
    second = _write(source, tmp_path)
    assert first.pictures == second.pictures == 60
    assert first.records != second.records and first.rows != second.rows
    assert picture_table.read_staged([first.rows]).kinds == [("PNG", 1, "RGB")] * 60


def test_a_file_too_large_for_a_record_is_not_read(source, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_MAX_BYTES", 10)
    report = _write(source, tmp_path)
    assert len(report.quarantined) == 60
    assert report.quarantined[0].reason.endswith("bytes, more than 10")
    assert report.pictures == 0


def test_the_largest_file_that_a_record_holds_is_read(source, tmp_path, monkeypatch):
    limit = sorted(item.size for item in source.items)[30]
    monkeypatch.setattr(shards, "_MAX_BYTES", limit)
    too_large = {item.path for item in source.items if item.size > limit}
    assert {entry.path for entry in _write(source, tmp_path).quarantined} == too_large


def test_progress_is_told_about_a_hundred_times_and_at_the_end():
    seen = []
    shards.start_count()
    with progress.watched_by(seen.append):
        for _ in range(305):
            shards._done.step(305)
        shards.start_count()
        shards._done.step(1)
    assert [one.done for one in seen] == [*range(3, 306, 3), 305, 1]
    assert {one.total for one in seen} == {305, 1}


def test_large_pictures_are_looked_at_by_threads_and_written_in_their_order(
    fill, tmp_path, monkeypatch
):
    source = sources.list_folder(fill(tmp_path / "source", {"a": 30, "b": 30}))
    damaged = source.items[7]
    Path(source.root, damaged.path).write_bytes(b"no picture")
    monkeypatch.setattr(shards, "_LARGE", 10**9)
    alone = _write(source, tmp_path)
    seen_by, look_at = set(), shards._look_at

    def note(*args):
        seen_by.add(threading.get_ident())
        return look_at(*args)

    monkeypatch.setattr(shards, "_look_at", note)
    monkeypatch.setattr(shards, "_LARGE", 0)
    together = _write(source, tmp_path)
    assert seen_by and threading.get_ident() not in seen_by
    assert Path(together.records).read_bytes() == Path(alone.records).read_bytes()
    assert pq.read_table(together.rows) == pq.read_table(alone.rows)
    assert [entry.path for entry in together.quarantined] == [damaged.path]
    assert together.quarantined == alone.quarantined


@pytest.mark.parametrize("large", [0, 10**9])
def test_a_picture_that_is_dropped_is_not_looked_at(source, tmp_path, monkeypatch, large):
    contents = [Path(source.root, item.path).read_bytes() for item in source.items]
    dropped = [hashlib.sha256(content).hexdigest() for content in contents[:2]]
    seen, look_at = [], shards._look_at

    def note(data, max_pixels):
        seen.append(data)
        return look_at(data, max_pixels)

    monkeypatch.setattr(shards, "_look_at", note)
    monkeypatch.setattr(shards, "_LARGE", large)
    report = _write(source, tmp_path, {one: Fix(DROP, "", "") for one in dropped})
    assert sorted(seen) == sorted(contents[2:])
    assert (report.pictures, report.dropped, sorted(report.fixed)) == (58, 2, sorted(dropped))


def test_two_pictures_are_read_ahead_of_the_one_that_is_written(source, tmp_path, monkeypatch):
    """Each has a thread that may look at it, and memory holds no more."""
    (shard,) = shards.plan_shards(source)
    read, ahead, example = [], [], shards._example

    def read_item(item):
        read.append(item)
        return Path(source.root, item.path).read_bytes()

    def write(*args):
        ahead.append(len(read) - len(ahead) - 1)
        return example(*args)

    monkeypatch.setattr(shards, "_example", write)
    shards.write_shard(shard, shards.Plan(source.root, str(tmp_path), 10**6, 60), read_item)
    assert ahead == [2] * 58 + [1, 0]


def test_a_worker_opens_a_source_once_for_all_its_shards_and_closes_it(
    source, tmp_path, monkeypatch
):
    monkeypatch.setattr(shards, "_SHARD_BYTES", source.total_bytes / 2)
    first, second = shards.plan_shards(source)
    done = []

    @contextlib.contextmanager
    def open_reader(kind, root):
        done.append("opened")
        yield lambda item: Path(root, item.path).read_bytes()
        done.append("closed")

    monkeypatch.setattr(readers, "open_reader", open_reader)
    step = shards.WriteShard(shards.Plan(source.root, str(tmp_path), 10**6, 60))
    step.setup()
    for shard in (first, second):
        step.process(shard)
        assert Path(shards.report_path(str(tmp_path), shard.index)).exists()
    assert done == ["opened"]
    step.teardown()
    assert done == ["opened", "closed"]


def test_the_features_of_a_record_lie_in_one_order(source, tmp_path):
    record = next(tf.data.TFRecordDataset(_write(source, tmp_path).records).as_numpy_iterator())
    found = tf.train.Example.FromString(record).features.feature
    # Which comes first of `image` and `image_id` depends on the release of protobuf.
    names = sorted(name for name in found if name != features.IMAGE)
    places = [record.index(bytes([10, len(name)]) + name.encode()) for name in names]
    assert places == sorted(places) and len(places) > 10


def test_converted_and_fixed_pictures_are_counted(fill, smooth_image, encode, tmp_path):
    root = fill(tmp_path / "source", {"a": 2, "b": 1})
    (root / "b/1.webp").write_bytes(encode(smooth_image(5), "WEBP"))
    wrong = hashlib.sha256((root / "a/0.png").read_bytes()).hexdigest()
    report = _write(sources.list_folder(root), tmp_path, {wrong: Fix(RELABEL, "b", "")})
    assert (report.pictures, report.converted, report.fixed) == (4, {"WEBP": 1}, [wrong])
    rows = picture_table.read_staged([report.rows])
    labels = dict(zip(rows.paths, rows.labels, strict=True))
    assert labels == {"a/0.png": "b", "a/1.png": "a", "b/0.png": "b", "b/1.webp": "b"}
    sizes = pq.read_table(report.rows)["bytes"].to_pylist()
    of_files = {path: (root / path).stat().st_size for path in labels}
    assert dict(zip(rows.paths, sizes, strict=True)) == of_files, "not of what is stored"


def test_one_byte_too_many_for_a_shard_begins_another(source, monkeypatch):
    for size, number in ((source.total_bytes, 1), (source.total_bytes - 1, 2)):
        monkeypatch.setattr(shards, "_SHARD_BYTES", size)
        assert len(shards.plan_shards(source)) == number


def test_files_without_a_byte_are_a_shard_that_sets_them_aside(source):
    items = tuple(dataclasses.replace(item, size=0) for item in source.items)
    (shard,) = shards.plan_shards(dataclasses.replace(source, items=items))
    assert len(shard.items) == 60


def test_of_a_shard_that_cannot_be_written_whole_there_is_no_report(source, tmp_path, full_disk):
    with pytest.raises(OSError, match="No space left"):
        _write(source, tmp_path)
    assert not Path(shards.report_path(str(tmp_path), 0)).exists()


def test_files_that_are_set_aside_or_dropped_are_told_as_done_too(fill, tmp_path):
    source = sources.list_folder(fill(tmp_path / "source", {"a": 3, "b": 1}))
    damaged, dropped = (Path(source.root, item.path) for item in source.items[:2])
    damaged.write_bytes(b"no picture")
    fixes = {hashlib.sha256(dropped.read_bytes()).hexdigest(): Fix(DROP, "", "")}
    seen = []
    shards.start_count()
    with progress.watched_by(seen.append):
        _write(source, tmp_path, fixes)
    assert [(one.done, one.total) for one in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_pictures_without_values_have_empty_text_in_further_columns(fill, tmp_path):
    source = sources.list_folder(fill(tmp_path / "source", {"a": 1, "b": 1}))
    (shard,) = shards.plan_shards(source)
    plan = shards.Plan(source.root, str(tmp_path), 10**6, 2, columns=("site",))
    with readers.open_reader(plan.kind, plan.root) as read:
        shards.write_shard(shard, plan, read)
    report = ShardReport.from_json(Path(shards.report_path(str(tmp_path), 0)).read_text())
    assert pq.read_table(report.rows)["column_site"].to_pylist() == ["", ""]
    for record in tf.data.TFRecordDataset(report.records).as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature["column_site"]
        assert feature.bytes_list.value == [b""]


def test_names_that_are_not_utf8_are_told_in_utf8(fill, tmp_path):
    root = fill(tmp_path / "source", {"a": 2, "b": 1})
    (root / "a/0.png").rename(root / "a/good\udce9.png")
    (root / "a/1.png").unlink()
    (root / "a/bad\udce9.png").write_bytes(b"no picture")
    report = _write(sources.list_folder(root), tmp_path)
    assert [entry.path for entry in report.quarantined] == ["a/bad\ufffd.png"]
    paths = {"a/good\ufffd.png", "b/0.png"}
    assert set(picture_table.read_staged([report.rows]).paths) == paths
    records = tf.data.TFRecordDataset(report.records).as_numpy_iterator()
    found = [tf.train.Example.FromString(record).features.feature for record in records]
    assert {one[features.PATH].bytes_list.value[0].decode() for one in found} == paths
