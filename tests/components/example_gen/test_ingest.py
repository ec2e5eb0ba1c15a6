"""What ImageExampleGen makes of pictures."""

import dataclasses
import hashlib
import itertools
import json
import shutil
import types
from pathlib import Path

import pytest

from components import features, progress
from components.example_gen import figures, ingest, shards
from components.example_gen.config import DataSettings
from components.example_gen.inspection.facts import Facts
from components.example_gen.splitting.grouping import Duplicates
from components.example_gen.splitting.splits import choice, drawn_split
from components.example_gen.summary import Summary
from components.files import write_atomically

pytestmark = pytest.mark.slow

FACTS = {field.name for field in dataclasses.fields(Facts)}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, fill, smooth_image, encode):
    """Sixty good pictures in two classes, two bad ones, and one text file."""
    root = fill(tmp_path_factory.mktemp("source"), {"cats": 28, "süße Hunde": 30})
    (root / "cats/a b.webp").write_bytes(encode(smooth_image(77), "WEBP"))
    (root / "cats/1x1.gif").write_bytes(encode(smooth_image(78, 1, 1), "GIF"))
    (root / "cats/cut.jpg").write_bytes(encode(smooth_image(79), "JPEG")[:-2])
    (root / "süße Hunde/gone.png").symlink_to("nowhere.png")
    (root / "süße Hunde/notes.txt").write_text("not a picture")
    return root


@pytest.fixture(scope="module")
def reports():
    return []


@pytest.fixture(scope="module")
def examples(node, pictures, tmp_path_factory, reports):
    with progress.watched_by(reports.append):
        return node.run(pictures, tmp_path_factory.mktemp("run") / "examples")


def test_artifact_names_its_splits(examples):
    assert json.loads(examples.split_names) == ["train", "validation", "test"]


def test_originals_are_the_files_of_the_test_split(node, examples, pictures):
    for path in Path(examples.uri, "originals").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem.split("-")[1]
    ids = {path.stem.split("-")[1] for path in Path(examples.uri, "originals").iterdir()}
    assert ids == {record["image_id"].decode() for record in node.records(examples.uri, "test")}


def test_folder_holds_what_is_documented(examples):
    found = {str(path.relative_to(examples.uri)) for path in Path(examples.uri).rglob("*")}
    assert found == {
        "summary.json",
        "quarantine.jsonl",
        "pictures.parquet",
        "originals",
        *(f"originals/{path.name}" for path in Path(examples.uri, "originals").iterdir()),
        *(f"Split-{split}" for split in features.SPLITS),
        *(f"Split-{split}/data_tfrecord-00000-of-00001.gz" for split in features.SPLITS),
    }


def test_records_hold_every_good_picture_once(node, examples, pictures):
    records = {record["path"].decode(): record for record in node.all_records(examples.uri)}
    assert len(node.all_records(examples.uri)) == len(records) == 60
    for path, record in records.items():
        data = (pictures / path).read_bytes()
        assert set(record) == {"image", "label", "image_id", "split", "path", "view", *FACTS}
        assert record["image_id"].decode() == hashlib.sha256(data).hexdigest()
        assert record["label"].decode() == path.split("/")[0]
        assert record["view"] == 0
        if path == "cats/a b.webp":
            assert record["image"].startswith(b"\x89PNG")
        else:
            assert record["image"] == data


def test_records_name_their_split(node, examples):
    for split in features.SPLITS:
        records = node.records(examples.uri, split)
        assert records
        assert {record["split"].decode() for record in records} == {split}


def test_classes_are_mixed(node, examples):
    labels = [record["label"] for record in node.records(examples.uri, "train")]
    changes = sum(a != b for a, b in itertools.pairwise(labels))
    assert changes > len(labels) / 4


def test_summary(node, examples):
    summary = Summary.from_json(Path(examples.uri, "summary.json").read_text())
    assert summary.classes == ["cats", "süße Hunde"]
    assert (summary.total, summary.quarantined, summary.ignored) == (60, 2, 1)
    assert summary.converted == {"WEBP": 1}
    says = "; 1 WEBP became PNG: a served model refuses such files"
    assert says in figures.describe({"examples": [examples]})
    for split in features.SPLITS:
        labels = [record["label"].decode() for record in node.records(examples.uri, split)]
        assert summary.counts[split] == {label: labels.count(label) for label in summary.classes}


def test_quarantine(examples):
    text = Path(examples.uri, "quarantine.jsonl").read_text()
    assert text.endswith("}\n")
    assert [json.loads(line) for line in text.splitlines()] == [
        {"path": "cats/cut.jpg", "reason": "damaged or cut-off JPEG"},
        {"path": "süße Hunde/gone.png", "reason": "cannot be read: No such file or directory"},
    ]


def test_progress(examples, reports):
    assert {(report.task, report.total) for report in reports} == {("pictures", 62)}
    assert [report.done for report in reports] == list(range(1, 63))


def test_a_second_run_gives_the_same_bytes(node, examples, pictures, tmp_path):
    reports = []
    with progress.watched_by(reports.append):
        again = node.run(pictures, tmp_path / "examples")
    assert [report.done for report in reports] == list(range(1, 63)), "counted anew"
    for path in Path(examples.uri).rglob("*.*"):
        assert path.read_bytes() == Path(again.uri, path.relative_to(examples.uri)).read_bytes()


def test_the_summary_comes_when_all_the_rest_is_there(node, fill, tmp_path, monkeypatch):
    names = {}

    def write(path, content):
        names[Path(path).name] = {other.name for other in Path(path).parent.iterdir()}
        write_atomically(path, content)

    monkeypatch.setattr(ingest, "write_atomically", write)
    node.run(fill(tmp_path / "source", {"a": 9, "b": 9}), tmp_path / "examples")
    splits = {f"Split-{split}" for split in features.SPLITS}
    rest = {"quarantine.jsonl", "pictures.parquet", "originals", *splits}
    assert names["summary.json"] == rest


def test_more_pictures_do_not_move_others(node, examples, pictures, smooth_image, encode, tmp_path):
    birds = [encode(smooth_image(5000 + number), "PNG") for number in range(10)]
    shutil.copytree(pictures, tmp_path / "source", symlinks=True)
    _write(tmp_path / "source", {f"birds/{n}.png": birds[n] for n in range(10)})
    more = node.run(tmp_path / "source", tmp_path / "examples")
    before = {record["path"]: record["split"] for record in node.all_records(examples.uri)}
    after = {record["path"]: record["split"] for record in node.all_records(more.uri)}
    assert len(after) == 70
    assert before.items() <= after.items()


def test_many_shards_hold_what_one_does(node, examples, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_SHARD_BYTES", 20_000)
    run = node.run(pictures, tmp_path / "examples")
    files = sorted(path.name for path in Path(run.uri, "Split-train").iterdir())
    assert len(files) > 2
    assert files[1] == f"data_tfrecord-00001-of-{len(files):05d}.gz"
    # The files cut the same sequence of records elsewhere.
    for split in features.SPLITS:
        assert node.records(run.uri, split) == node.records(examples.uri, split)
    for name in ("summary.json", "quarantine.jsonl"):
        assert Path(run.uri, name).read_bytes() == Path(examples.uri, name).read_bytes()


def test_given_splits_are_kept_and_test_is_cut_from_validation(node, fill, tmp_path):
    source = fill(tmp_path / "source", {"train/a": 5, "train/b": 5, "val/a": 15, "val/b": 15})
    run = node.run(source, tmp_path / "examples")
    origin = {
        split: {record["path"].split(b"/")[0] for record in node.records(run.uri, split)}
        for split in features.SPLITS
    }
    assert origin == {"train": {b"train"}, "validation": {b"val"}, "test": {b"val"}}


def _write(root, files):
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


@pytest.mark.parametrize(
    ("folders", "extra", "settings", "message"),
    [
        (
            {"a": 20, "b": 1},
            {},
            {},
            "class 'b' in .* has 1 usable .* data.min_per_class .* least 3",
        ),
        (
            {"a": 20, "b": 2},
            {"b/3.png": b"text"},
            {"max_quarantined": 0.1},
            "class 'b' in .* has 2 usable",
        ),
        (
            {"a": 9, "b": 9},
            {"b/x.jpg": b"text", "a/y.jpg": b""},
            {},
            "2 of 20 files in .* data.max_quarantined = 0.05 allows; the first are "
            "a/y.jpg: empty file; b/x.jpg: not a JPEG",
        ),
        (
            {"a": 9, "b": 9},
            {},
            {"split": {"train": 0.9999998, "validation": 1e-7, "test": 1e-7}},
            "the validation split got none of the 18 .*raise data.split.validation",
        ),
        (
            {"a": 9, "b": 9},
            {},
            {"split": {"train": 1e-7, "validation": 0.5, "test": 0.4999999}},
            "class 'a' in .* has no picture in the train split: .*raise data.split.train",
        ),
        ({"a": 9}, {}, {}, r"has 1 class \(a\)"),
    ],
)
def test_what_cannot_be_trained_on_stops_the_run(
    node, fill, tmp_path, folders, extra, settings, message
):
    source = fill(tmp_path / "source", folders)
    _write(source, extra)
    with pytest.raises(ValueError, match=message) as error:
        node.run(source, tmp_path / "examples", **settings)
    assert "\n" not in str(error.value)
    assert list(tmp_path.glob("examples/*")) == []


def test_a_crash_leaves_nothing_that_looks_complete(node, fill, tmp_path, monkeypatch):
    source = fill(tmp_path / "source", {"a": 20, "b": 20})

    def crash(*_):
        raise MemoryError("boom")

    with monkeypatch.context() as patched:
        patched.setattr(shards, "_example", crash)
        with pytest.raises(MemoryError, match="boom"):
            node.run(source, tmp_path / "examples")
    assert list(tmp_path.glob("examples/*")) == []

    # Nor does what a killed attempt left end up in the next.
    leftovers = {".staging/00000-x-train.gz": b"x", "Split-train/data_tfrecord-9.gz": b"x"}
    _write(tmp_path / "examples", leftovers | {"summary.json": b"{}"})
    run = node.run(source, tmp_path / "examples")
    assert len(node.all_records(run.uri)) == 40
    files = {path.name for path in Path(run.uri).rglob("*.gz")}
    assert files == {"data_tfrecord-00000-of-00001.gz"}
    assert not Path(run.uri, ".staging").exists()


def test_the_disk_must_hold_unlabelled_pictures_as_well(node, fill, tmp_path, monkeypatch):
    source, more = (fill(tmp_path / name, {"a": 5, "b": 5}) for name in ("source", "more"))
    free = 2 * sum(path.stat().st_size for path in source.rglob("*.png"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=free))
    with pytest.raises(ValueError, match="need twice that for a while"):
        node.run(source, tmp_path / "examples", unlabelled=more)


def test_full_disk_is_noticed_before_any_work(node, fill, tmp_path, monkeypatch):
    source = fill(tmp_path / "source", {"a": 20, "b": 20})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=1))
    with pytest.raises(ValueError, match=r"pictures take .* MB .* has only 0.0 MB free"):
        node.run(source, tmp_path / "examples")
    assert list(tmp_path.glob("examples/*")) == []


def test_unlabelled_pictures_have_a_split_of_their_own(node, examples, pictures, fill, tmp_path):
    # As in the source, whose folders these are by number: 12 pictures of cats.
    unlabelled = fill(tmp_path / "more", {"cats": 12, "empty": 0, "deep/er": 8})
    shutil.copy(pictures / "süße Hunde/3.png", unlabelled / "copy of a test or other picture.png")
    (unlabelled / "cut.jpg").write_bytes((unlabelled / "deep/er/0.png").read_bytes()[:-9])
    (unlabelled / "notes.txt").write_text("not a picture")
    run = node.run(pictures, tmp_path / "examples", unlabelled=unlabelled)
    assert json.loads(run.split_names) == ["train", "validation", "test", "unlabelled"]
    for split in features.SPLITS:
        assert node.records(run.uri, split) == node.records(examples.uri, split)
    records = node.records(run.uri, "unlabelled")
    labelled = {record["image_id"] for record in node.all_records(run.uri)}
    assert not labelled & {record["image_id"] for record in records}
    assert {record["path"] for record in records} == {f"deep/er/{i}.png".encode() for i in range(8)}
    assert {(record["label"], record["split"]) for record in records} == {(b"", b"unlabelled")}
    summary = Summary.from_json(Path(run.uri, "summary.json").read_text())
    assert summary.unlabelled == {"usable": 8, "copies": 13, "quarantined": 1}
    before = Summary.from_json(Path(examples.uri, "summary.json").read_text())
    assert (summary.total, summary.counts) == (before.total, before.counts)
    *_, last = Path(run.uri, "quarantine.jsonl").read_text().splitlines()
    assert json.loads(last)["path"] == str(unlabelled / "cut.jpg")
    assert not Path(run.uri, ".staging").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"x.jpg": b"text"}, "1 of 13 files in pseudo_labels.source .* data.max_quarantined"),
        ({}, "pseudo_labels.source .* has no picture of its own: all 12 that can be used"),
    ],
)
def test_unlabelled_pictures_of_no_use_stop_the_run(node, more, message, pictures, fill, tmp_path):
    unlabelled = fill(tmp_path / "more", {"cats": 12})
    _write(unlabelled, more)
    with pytest.raises(ValueError, match=message):
        node.run(pictures, tmp_path / "examples", unlabelled=unlabelled)
    assert list(tmp_path.glob("examples/*")) == []


def test_the_table_says_what_the_records_say(node, examples):
    rows = node.table(examples.uri)
    records = node.all_records(examples.uri)
    assert len(rows) == len(records)
    for record in records:
        row = rows[record["path"].decode()]
        for name in ("image_id", "label", "split", "format"):
            assert row[name] == record[name].decode()
        for name in FACTS - {"format"}:
            assert row[name] == record[name]
        assert row["group"] == row["image_id"]


def test_digits(node, tmp_path):
    run = node.run("digits", tmp_path / "examples")
    summary = Summary.from_json(Path(run.uri, "summary.json").read_text())
    assert summary.total == 1797
    shares = [sum(summary.counts[split].values()) / 1797 for split in features.SPLITS]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.02)
    assert node.records(run.uri, "train")[0]["path"].endswith(b".png")
    # 1,305 pairs of them have a correlation above 0.9: too small to be compared.
    assert summary.duplicates == Duplicates(0, 0, 0, 0)
    by_hash = choice(None, frozenset(), DataSettings().split)
    for row in node.table(run.uri).values():
        assert row["split"] == drawn_split(row["image_id"], by_hash)
