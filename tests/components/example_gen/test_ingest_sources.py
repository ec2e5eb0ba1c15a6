"""What ImageExampleGen makes of every kind of source, and of fixes."""

import hashlib
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components import features
from components.errors import UserError
from components.example_gen import figures, shards
from components.example_gen.fixes import DROP, RELABEL, Fix, write_fixes
from components.example_gen.summary import Summary

pytestmark = pytest.mark.slow


def _archive(source: Path, path: Path) -> Path:
    """The folder inside one more, as a zip or a tar."""
    kind = {".zip": "zip", ".tar": "tar", ".gz": "gztar"}[path.suffix]
    name = str(path).removesuffix(".gz").removesuffix(path.suffix).removesuffix(".tar")
    return Path(shutil.make_archive(name, kind, source.parent, source.name))


def _manifest(source: Path, path: Path) -> Path:
    rows = [f"{found.relative_to(source)},{found.parent.name}" for found in source.rglob("*.*")]
    path.write_text("path,label\n" + "\n".join(rows))
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory, fill):
    """Forty pictures and a broken one."""
    root = fill(tmp_path_factory.mktemp("plain") / "pets", {"cats": 20, "süße Hunde": 20})
    (root / "cats/broken.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def from_folder(node, plain, tmp_path_factory):
    return node.run(plain, tmp_path_factory.mktemp("run") / "examples")


@pytest.mark.parametrize("kind", ["manifest.csv", "pets.zip", "pets.tar", "pets.tar.gz"])
def test_every_kind_of_source_gives_the_same_bytes(node, plain, from_folder, tmp_path, kind):
    if kind == "manifest.csv":
        pictures = shutil.copytree(plain, tmp_path / "pets")
        source = _manifest(pictures, pictures / "labels.csv")
    else:
        source = _archive(plain, tmp_path / kind)
    run = node.run(source, tmp_path / "examples")
    for path in Path(from_folder.uri).rglob("*.*"):
        assert path.read_bytes() == Path(run.uri, path.relative_to(from_folder.uri)).read_bytes()


def test_further_columns_of_a_manifest(node, fill, tmp_path):
    source = fill(tmp_path / "source", {"a": 12, "b": 12})
    more = fill(tmp_path / "more", {"x": 1, "y": 1, "new": 3})
    rows = [f"{label}/{i}.png,{label},site {i % 2}" for label in "ab" for i in range(12)]
    (source / "labels.csv").write_text("path,label,Site name\n" + "\n".join(rows))
    run = node.run(source / "labels.csv", tmp_path / "examples", unlabelled=more)
    sites = {
        record["path"].decode(): record["column_Site_name"] for record in node.all_records(run.uri)
    }
    assert sites == {path: site.encode() for path, _, site in (row.split(",") for row in rows)}
    rows = node.table(run.uri)
    assert {path: rows[path]["column_Site_name"].encode() for path in sites} == sites
    # Those that come from elsewhere have nothing there, so that one schema fits both.
    path = str(next(Path(run.uri, "Split-unlabelled").iterdir()))
    for record in tf.data.TFRecordDataset(path, features.COMPRESSION).as_numpy_iterator():
        example = tf.train.Example.FromString(record)
        assert example.features.feature["column_Site_name"].bytes_list.value == [b""]


def test_files_that_a_manifest_names_and_that_are_not_there(node, fill, tmp_path):
    source = fill(tmp_path / "source", {"a": 12, "b": 12})
    rows = [f"{label}/{i}.png,{label}" for label in "ab" for i in range(13)]
    (source / "labels.csv").write_text("path,label\n" + "\n".join(rows))
    with pytest.raises(
        ValueError, match=r"2 of 26 files in .*labels.csv cannot be used.* a/12.png: cannot be read"
    ):
        node.run(source / "labels.csv", tmp_path / "examples")
    assert list(tmp_path.glob("examples/*")) == []


def test_tfrecords_give_the_same_ids_splits_and_statistics(node, plain, from_folder, tmp_path):
    files = sorted(path for path in plain.rglob("*.*"))
    for shard in range(2):
        name = tmp_path / "records" / f"pets.tfrecord-{shard:05d}-of-00002"
        name.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(name)) as writer:
            for path in files[shard::2]:
                values = {"image": path.read_bytes(), "label": path.parent.name.encode()}
                feature = {
                    name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                    for name, value in values.items()
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
    run = node.run(tmp_path / "records", tmp_path / "examples")
    assert Path(run.uri, "summary.json").read_bytes() == (
        Path(from_folder.uri, "summary.json").read_bytes()
    )

    def by_id(uri):
        return sorted(
            (r["image_id"], r["split"], r["label"], r["image"]) for r in node.all_records(uri)
        )

    assert by_id(run.uri) == by_id(from_folder.uri)


def _fixes(path, pictures: dict[Path, str]) -> str:
    """Writes an overlay: by picture its right class, or nothing where it is to be dropped."""
    overlay = {
        hashlib.sha256(file.read_bytes()).hexdigest(): Fix(
            RELABEL if label else DROP, label, f"{file.parent.name}/{file.name}"
        )
        for file, label in pictures.items()
    }
    write_fixes(path, overlay)
    return str(path)


@pytest.fixture(scope="module")
def pets(tmp_path_factory, fill):
    """Twelve pictures of each of two classes; `dogs/cut.png` is damaged."""
    root = fill(tmp_path_factory.mktemp("pets"), {"cats": 12, "dogs": 12})
    (root / "dogs/cut.png").write_bytes((root / "dogs/0.png").read_bytes()[:100])
    return root


def test_fixes_change_labels_and_leave_pictures_out(node, pets, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_SHARD_BYTES", 3000)
    before = {path: path.read_bytes() for path in pets.rglob("*.png")}
    fixes = _fixes(
        tmp_path / "fixes.csv",
        {pets / "cats/3.png": "dogs", pets / "dogs/4.png": "", pets / "dogs/cut.png": "cats"},
    )
    examples = node.run(pets, tmp_path / "examples", fixes=fixes)
    labels = {r["path"].decode(): r["label"].decode() for r in node.all_records(examples.uri)}
    assert labels["cats/3.png"] == "dogs" and "dogs/4.png" not in labels and len(labels) == 23
    assert all(label == path[:4] for path, label in labels.items() if path != "cats/3.png")
    rows = pq.read_table(Path(examples.uri, "pictures.parquet")).to_pydict()
    assert dict(zip(rows["path"], rows["label"], strict=True)) == labels
    summary = Summary.from_json(Path(examples.uri, "summary.json").read_text())
    assert summary.fixes == {"relabelled": 2, "dropped": 1, "gone": 0}
    assert summary.quarantined == 1, "a fix does not mend a damaged picture"
    assert "; fixes: 2 relabelled, 1 dropped" in figures.describe({"examples": [examples]})
    assert {path: path.read_bytes() for path in pets.rglob("*.png")} == before
    plain = node.run(pets, tmp_path / "plain")
    splits = {r["path"]: r["split"] for r in node.all_records(plain.uri)}
    moved = [r["path"] for r in node.all_records(examples.uri) if splits[r["path"]] != r["split"]]
    assert moved == [], "a fix moves no picture"


def test_a_copy_in_another_class_can_be_fixed(node, pets, tmp_path):
    root = shutil.copytree(pets, tmp_path / "pets")
    shutil.copy(root / "cats/1.png", root / "dogs/copy.png")
    fixes = _fixes(tmp_path / "fixes.csv", {root / "cats/1.png": "cats"})
    with pytest.raises(UserError, match="have copies in another class"):
        node.run(root, tmp_path / "examples")
    examples = node.run(root, tmp_path / "examples", fixes=fixes)
    assert node.all_records(examples.uri)


def test_fixes_of_pictures_that_are_gone_stop_the_run_unless_they_may(node, pets, tmp_path):
    root = shutil.copytree(pets, tmp_path / "pets")
    fixes = _fixes(tmp_path / "fixes.csv", dict.fromkeys(root.glob("cats/*[12].png"), "dogs"))
    (root / "cats/1.png").unlink()
    with (root / "cats/2.png").open("ab") as file:
        file.write(b"saved anew")
    with pytest.raises(
        UserError, match=r"2 of its 3 pictures .* first of them cats/1\.png, cats/2"
    ):
        node.run(root, tmp_path / "examples", fixes=fixes)
    assert not list(Path(tmp_path / "examples").glob("*")), "nothing is left behind"
    examples = node.run(root, tmp_path / "examples", fixes=fixes, missing_fixes="keep")
    summary = Summary.from_json(Path(examples.uri, "summary.json").read_text())
    assert summary.fixes == {"relabelled": 1, "dropped": 0, "gone": 2}
    assert "; fixes: 1 relabelled, 2 gone" in figures.describe({"examples": [examples]})


def test_a_fix_to_a_class_that_is_not_there_stops_the_run(node, pets, tmp_path):
    fixes = _fixes(tmp_path / "fixes.csv", {pets / "cats/3.png": "birds"})
    with pytest.raises(UserError, match=r"there is no class 'birds' \(there are cats, dogs\)"):
        node.run(pets, tmp_path / "examples", fixes=fixes)
