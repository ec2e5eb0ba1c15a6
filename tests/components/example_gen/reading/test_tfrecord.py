"""TFRecords as sources: their features, and files that are not what they seem."""

import gzip
import os
from pathlib import Path

import pytest
import tensorflow as tf

from components.errors import UserError
from components.example_gen.config import DataSettings
from components.example_gen.reading import readers, sources

IMAGES = [f"picture {number}".encode() for number in range(4)]


def _feature(value):
    if isinstance(value, list):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
    if isinstance(value, int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _write(path, examples):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for values in examples:
            feature = {name: _feature(value) for name, value in values.items()}
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    return path


def _good(images=IMAGES, **more):
    return [
        {"image": image, "label": b"ab"[number % 2 : number % 2 + 1], **more}
        for number, image in enumerate(images)
    ]


def _open(path, **settings):
    workspace = path.parent / "workspace"
    return sources.open_source(str(path), workspace, DataSettings(tfrecord=settings))


def _contents(source):
    with readers.open_reader(source.kind, source.root) as read:
        return [read(item) for item in source.items]


def test_a_file(tmp_path):
    source = _open(_write(tmp_path / "pets.tfrecord", _good(other=7)))
    assert source.classes == ("a", "b") and source.splits == frozenset() and source.ignored == 0
    assert [item.path for item in source.items] == [f"pets.tfrecord#{n}" for n in range(4)]
    assert [item.label for item in source.items] == ["a", "b", "a", "b"]
    assert _contents(source) == IMAGES


def test_names_of_features_numbers_for_classes_and_splits(tmp_path):
    examples = [
        {"image/encoded": image, "class": number % 2, "part": part}
        for number, (image, part) in enumerate(
            zip(IMAGES, (b"train", b"Train", b"val", b"TEST"), strict=True)
        )
    ]
    path = _write(tmp_path / "pets.tfrecord", examples)
    source = _open(path, image="image/encoded", label="class", split="part")
    assert [(item.label, item.split) for item in source.items] == [
        ("0", "train"),
        ("1", "train"),
        ("0", "validation"),
        ("1", "test"),
    ]


def test_items_are_sorted_by_path(tmp_path):
    many = [f"picture {number}".encode() for number in range(12)]
    source = _open(_write(tmp_path / "pets.tfrecord", _good(many)))
    paths = [item.path for item in source.items]
    assert paths == sorted(paths) and paths[1] == "pets.tfrecord#1" and len(paths) == 12
    assert set(_contents(source)) == set(many)


def _compress(path):
    result = path.with_name(f"{path.name}.gz")
    result.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return result


@pytest.mark.parametrize("compressed", [False, True])
def test_a_folder_of_files(tmp_path, compressed):
    folder = tmp_path / "records"
    for number in range(2):
        path = _write(folder / f"pet#_tfrecord-{number}-of-2", _good(IMAGES[2 * number :][:2]))
        if compressed:
            _compress(path)
    (folder / ".DS_Store").touch()
    source = _open(folder)
    assert [item.path for item in source.items] == [
        f"pet#_tfrecord-{n}-of-2#{m}" for n in range(2) for m in range(2)
    ]
    assert _contents(source) == IMAGES
    # What a run hands to its executor opens as the same source.
    assert _open(Path(source.location)) == source
    assert (source.location == str(folder)) == (not compressed)


def test_a_folder_of_files_beside_others(tmp_path):
    folder = _write(tmp_path / "records" / "pets.tfrecord", _good()).parent
    (folder / "dataset_info.json").touch()
    with pytest.raises(UserError, match=r"TFRecords beside other files \(dataset_info\.json\)"):
        _open(folder)
    for name in "ab":
        (folder / name).mkdir()
        (folder / name / "1.jpg").touch()
    assert _open(folder).ignored == 2


@pytest.mark.parametrize("name", ["pets.tfrecord", "pets.tfrecord.gz"])
def test_a_compressed_file_by_any_name(tmp_path, name):
    path = _compress(_write(tmp_path / "x.tfrecord", _good())).rename(tmp_path / name)
    source = _open(path)
    assert _contents(source) == IMAGES
    assert source.items[0].path == "pets.tfrecord#0"
    assert Path(source.location).name == "pets.tfrecord"
    assert _open(Path(source.location)) == source


@pytest.mark.parametrize(("plain", "other"), ["ab", "ba"])
def test_files_in_gzip_beside_others(tmp_path, plain, other):
    _write(tmp_path / f"records/{plain}.tfrecord", _good())
    _compress(_write(tmp_path / f"records/{other}.tfrecord", _good()))
    with pytest.raises(UserError, match=rf"{plain}\.tfrecord is not in gzip, others are"):
        _open(tmp_path / "records")


@pytest.mark.parametrize("kept", [0.1, 0.6, 0.95])
def test_a_file_cut_in_the_middle(tmp_path, kept):
    path = _write(tmp_path / "pets.tfrecord", _good())
    os.truncate(path, int(path.stat().st_size * kept))
    with pytest.raises(UserError, match=r"damaged or cut off after \d records .*: make or downl"):
        _open(path)


def test_a_compressed_file_cut_in_the_middle(tmp_path):
    path = _compress(_write(tmp_path / "pets.tfrecord", _good()))
    os.truncate(path, path.stat().st_size - 10)
    with pytest.raises(UserError, match="no gzip file, damaged or cut off"):
        _open(path)
    assert not list(tmp_path.glob("workspace/[!.]*"))


def test_a_changed_byte(tmp_path):
    path = _write(tmp_path / "pets.tfrecord", _good())
    path.write_bytes(path.read_bytes().replace(b"picture 2", b"picture X"))
    with pytest.raises(UserError, match="damaged or cut off after 2 records"):
        _open(path)


def test_something_else(tmp_path):
    path = tmp_path / "pets.tfrecord"
    path.write_bytes(b"<html>" * 100)
    with pytest.raises(UserError, match=r"is no TFRecord, .* after 0 records \(corrupted rec"):
        _open(path)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"\xff\xff\xff no example")
    with pytest.raises(UserError, match=r"record 0 of pets.tfrecord is no tf\.Example"):
        _open(path)


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({}, {"image": "img"}, r"record 0 of .*: img has 0 values.*: set data\.tfrecord\.image to"),
        ({}, {"label": "class"}, r"class has 0 values.* data\.tfrecord\.label to one of image, l"),
        ({}, {"split": "x"}, r"record 0 of .*: x has 0 values.*: set data\.tfrecord\.split to one"),
        ({"image": 3}, {}, "image holds no bytes: set data.tfrecord.image"),
        ({"label": [b"a", b"b"]}, {}, "label has 2 values, expected one"),
        ({"label": b" "}, {}, "record 1 of .*: label is empty: expected a class"),
        ({"label": b"caf\xe9"}, {}, "label is not UTF-8"),
        ({"image": b"caf\xe9"}, {"label": "image"}, r"record 1 of .*: image is not UTF-8"),
        ({"label": b"a\nb"}, {}, r"record 1 of .*: label 'a\\nb' has a control character"),
        ({"part": b"dev"}, {"split": "part"}, "unknown split 'dev': expected one of train"),
        ({"label": b"a"}, {}, r"has 1 class \(a\).*expected TFRecord files of tf.Example"),
    ],
)
def test_examples_that_are_refused(tmp_path, change, settings, message):
    examples = _good(part=b"train")[:2]
    path = _write(tmp_path / "pets.tfrecord", [examples[0], {**examples[1], **change}])
    with pytest.raises(UserError, match=message) as error:
        _open(path, **settings)
    assert str(error.value).startswith(f"data.source {path}")
    assert str(error.value).isprintable()


def test_fingerprint_changes_with_the_file(tmp_path):
    path = _write(tmp_path / "pets.tfrecord", _good())
    seen = {sources.fingerprint(_open(path))}
    os.utime(path, ns=(5, 5))
    seen.add(sources.fingerprint(_open(path)))
    assert len(seen) == 2
    os.utime(path, ns=(0, 0))
    assert not _open(path).missing, "1970 is a time too"


def test_a_file_without_records_has_no_class(tmp_path):
    with pytest.raises(UserError, match=r"pets\.tfrecord has 0 class .*expected TFRecord files"):
        _open(_write(tmp_path / "pets.tfrecord", []))
