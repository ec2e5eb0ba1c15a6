"""What ImageExampleGen makes of pictures that look alike."""

import hashlib
import json
import shutil
from pathlib import Path

import filelock
import pyarrow.parquet as pq
import pytest
from PIL import Image

from components.example_gen import figures, ingest
from components.example_gen.config import DataSettings
from components.example_gen.fixes import DROP, Fix, write_fixes
from components.example_gen.splitting.grouping import Duplicates, group_pictures
from components.example_gen.splitting.split_ledger import (
    Entry,
    Ledger,
    ledger_inputs,
    read_ledger,
    write_ledger,
)
from components.example_gen.summary import Summary

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(fill, tmp_path):
    """Two classes of thirty larger pictures, and in one of them four altered copies of one."""
    root = fill(tmp_path / "photos", {"cats": 30, "dogs": 30})
    for path in root.rglob("*.png"):
        with Image.open(path) as image:
            larger = image.resize((80, 60))
        larger.save(path)
    with Image.open(root / "cats/3.png") as image:
        image.save(root / "cats/copy.jpg", quality=40)
        image.resize((40, 32)).save(root / "cats/small.png")
        image.transpose(Image.Transpose.ROTATE_90).save(root / "cats/turned.png")
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / "cats/mirrored.png")
    return root


def test_copies_are_in_one_split(node, photos, tmp_path):
    run = node.run(photos, tmp_path / "examples")
    rows = node.table(run.uri)
    names = ("3.png", "copy.jpg", "small.png", "turned.png", "mirrored.png")
    copies = [rows[f"cats/{name}"] for name in names]
    assert {row["group"] for row in copies} == {min(row["image_id"] for row in copies)}
    assert len({row["split"] for row in copies}) == 1
    assert len({row["group"] for row in rows.values()}) == 60
    summary = Summary.from_json(Path(run.uri, "summary.json").read_text())
    assert summary.duplicates == Duplicates(copies=4, identical=0, contradicting=0, leaking=0)
    assert figures.describe({"examples": [run]}).endswith("; 4 of them are copies")
    # Asked not to, it looks at equal files alone.
    run = node.run(photos, tmp_path / "examples", near_duplicates=False)
    assert len({row["group"] for row in node.table(run.uri).values()}) == 64


def test_the_same_picture_under_two_labels_stops_the_run(node, photos, tmp_path):
    shutil.copy(photos / "cats/3.png", photos / "dogs/no dog.png")
    with pytest.raises(
        ValueError, match=r"1 picture\(s\) .*in another class, as cats/.* and dogs/no dog.png: rem"
    ):
        node.run(photos, tmp_path / "examples")
    assert list(tmp_path.glob("examples/*")) == []
    run = node.run(photos, tmp_path / "examples", contradicting_labels="keep")
    assert "; 1 are in several classes" in figures.describe({"examples": [run]})
    assert len(node.all_records(run.uri)) == 65


def test_leakage_of_given_splits_is_told_and_not_moved(node, photos, tmp_path):
    source = tmp_path / "given"
    for split in ("train", "validation", "test"):
        for label in ("cats", "dogs"):
            (source / split / label).mkdir(parents=True)
    for path in sorted(photos.rglob("*.*g")):
        digit = path.stem[-1]
        split = {"0": "validation", "1": "test", "y": "test"}.get(digit, "train")
        shutil.copy(path, source / split / path.relative_to(photos))
    run = node.run(source, tmp_path / "examples")
    rows = node.table(run.uri)
    assert all(path.startswith(row["split"]) for path, row in rows.items())
    assert rows["test/cats/copy.jpg"]["group"] == rows["train/cats/3.png"]["group"]
    summary = Summary.from_json(Path(run.uri, "summary.json").read_text())
    assert summary.duplicates.leaking == 1
    assert "LEAKAGE: 1 lie in several splits" in figures.describe({"examples": [run]})


def test_unlabelled_pictures_that_look_like_labelled_ones_are_left_out(node, photos, tmp_path):
    unlabelled = tmp_path / "unlabelled"
    unlabelled.mkdir()
    (photos / "cats/turned.png").rename(unlabelled / "turned.png")
    with Image.open(photos / "dogs/1.png") as image:
        image.transpose(Image.Transpose.TRANSVERSE).save(unlabelled / "other.jpg", quality=95)
    (photos / "dogs/2.png").rename(unlabelled / "own.png")
    own = hashlib.sha256((unlabelled / "own.png").read_bytes()).hexdigest()
    write_fixes(tmp_path / "fixes.csv", {own: Fix(DROP, "", "dogs/2.png")})
    fixes = {"fixes": str(tmp_path / "fixes.csv"), "missing_fixes": "keep"}
    run = node.run(photos, tmp_path / "examples", unlabelled=unlabelled, **fixes)
    assert [record["path"] for record in node.records(run.uri, "unlabelled")] == [b"own.png"]
    summary = Summary.from_json(Path(run.uri, "summary.json").read_text())
    assert summary.unlabelled == {"usable": 1, "copies": 2, "quarantined": 0}
    assert summary.fixes == {"relabelled": 0, "dropped": 0, "gone": 1}, "fixes are of labelled ones"
    assert node.table(run.uri)["own.png"]["split"] == "unlabelled"


def test_with_a_ledger_nothing_moves_and_the_ratios_are_kept(
    node, photos, fill, tmp_path, monkeypatch
):
    known_when_grouped = []

    def group(pictures, near, known):
        with pytest.raises(filelock.Timeout):  # another run has to wait
            filelock.FileLock(tmp_path / ".splits.parquet.lock").acquire(timeout=0)
        known_when_grouped.append(set(known))
        return group_pictures(pictures, near, known)

    monkeypatch.setattr(ingest, "group_pictures", group)
    settings = {"split_ledger": str(tmp_path / "splits.parquet")}
    first = node.run(photos, tmp_path / "first", **settings)
    before = {row["image_id"]: row["split"] for row in node.table(first.uri).values()}
    more = fill(tmp_path / "more", {"a": 0, "b": 0, "cats": 4})
    for path in more.rglob("*.png"):
        shutil.copy(path, photos / f"cats/new {path.name}")
    second = node.run(photos, tmp_path / "second", fingerprint="of these", **settings)
    after = {row["image_id"]: row["split"] for row in node.table(second.uri).values()}
    assert known_when_grouped == [set(), set(before)]
    assert len(after) == len(before) + 4
    assert before.items() <= after.items()
    counts = Summary.from_json(Path(second.uri, "summary.json").read_text()).counts
    for label, total in (("cats", 38), ("dogs", 30)):
        for split, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
            assert abs(counts[split][label] - share * total) <= 1
    ledger = pq.read_table(tmp_path / "splits.parquet").to_pydict()
    assert dict(zip(ledger["id"], ledger["split"], strict=True)) == after
    # What the pipeline looks for in it to find this run's result again.
    inputs = ledger_inputs("of these", DataSettings(**settings).model_dump_json())
    assert read_ledger(settings["split_ledger"]).inputs == inputs
    third = node.run(photos, tmp_path / "third", **settings)
    assert node.table(third.uri) == node.table(second.uri)


def test_copies_of_known_pictures_join_them_or_are_all_set_aside(node, photos, tmp_path):
    path = str(tmp_path / "splits.parquet")
    ids = {
        name: hashlib.sha256((photos / f"cats/{name}").read_bytes()).hexdigest()
        for name in ("3.png", "copy.jpg")
    }
    splits = zip(ids.values(), ("train", "test"), strict=True)
    write_ledger(path, Ledger(), {i: Entry(i, split) for i, split in splits}, "")
    run = node.run(photos, tmp_path / "examples", split_ledger=path)
    lines = Path(run.uri, "quarantine.jsonl").read_text().splitlines()
    told = {entry["path"]: entry["reason"] for entry in map(json.loads, lines)}
    paths = ("cats/mirrored.png", "cats/small.png", "cats/turned.png")
    assert told == dict.fromkeys(paths, "a copy of pictures in test and train")
    rows = node.table(run.uri)
    assert {rows[f"cats/{name}"]["split"] for name in ids} == {"train", "test"}
    assert {rows[f"cats/{name}"]["group"] for name in ids} == {min(ids.values())}


def test_pictures_of_no_use_leave_the_ledger_as_it_was(node, photos, fill, tmp_path):
    ledger = tmp_path / "splits.parquet"
    with pytest.raises(ValueError, match="min_per_class"):
        node.run(photos, tmp_path / "examples", split_ledger=str(ledger), min_per_class=50)
    assert not ledger.exists()
