"""The records of a shard, dealt out to the files of the splits."""

import json
from pathlib import Path

import pytest
import tensorflow as tf

from components import features
from components.example_gen.deal import Deal, DealShard, deal_shard, dealt_path


@pytest.fixture
def records(tmp_path):
    """A shard of four records that are named a to d; their features come in any order."""
    path = str(tmp_path / "records")
    with tf.io.TFRecordWriter(path) as writer:
        for name in (b"a", b"b", b"c", b"d"):
            example = tf.train.Example()
            for other in ("zinc", "yarn", "xenon", "wax", "velvet", "umber"):
                example.features.feature[other].int64_list.value.append(1)
            example.features.feature[features.PATH].bytes_list.value.append(name)
            writer.write(example.SerializeToString())
    return path


def dealt(tmp_path) -> dict[str, str]:
    return json.loads(Path(dealt_path(str(tmp_path), 7)).read_text())


def test_each_record_goes_to_its_split_and_knows_it(records, tmp_path):
    splits = ("test", None, "train", "test")
    deal_shard(Deal(7, records, splits, ("train", "validation", "test")), str(tmp_path))
    found = {}
    for split, path in dealt(tmp_path).items():
        dataset = tf.data.TFRecordDataset(path, features.COMPRESSION).as_numpy_iterator()
        examples = [tf.train.Example.FromString(record).features.feature for record in dataset]
        found[split] = [one[features.PATH].bytes_list.value[0].decode() for one in examples]
        assert {one[features.SPLIT].bytes_list.value[0].decode() for one in examples} <= {split}
    assert found == {"train": ["c"], "validation": [], "test": ["a", "d"]}


def test_a_second_attempt_leaves_the_files_of_the_first_alone(records, tmp_path):
    deal, step = Deal(7, records, ("train",) * 4, ("train",)), DealShard(str(tmp_path))
    step.process(deal)
    first = dealt(tmp_path)["train"]
    content = Path(first).read_bytes()
    step.process(deal)
    second = dealt(tmp_path)["train"]
    assert first != second and Path(first).read_bytes() == Path(second).read_bytes() == content


def test_the_features_of_a_record_lie_in_one_order_whatever_it_was(records, tmp_path):
    deal_shard(Deal(7, records, ("train",) * 4, ("train",)), str(tmp_path))
    dataset = tf.data.TFRecordDataset(dealt(tmp_path)["train"], features.COMPRESSION)
    for record in dataset.as_numpy_iterator():
        names = sorted(tf.train.Example.FromString(record).features.feature)
        assert sorted(names, key=lambda name: record.index(name.encode())) == names
        assert len(names) == 8


@pytest.mark.parametrize("count", [3, 5])
def test_more_or_fewer_records_than_were_planned_are_no_shard(records, tmp_path, count):
    with pytest.raises(ValueError, match="zip"):
        deal_shard(Deal(7, records, ("train",) * count, ("train",)), str(tmp_path))
    assert not Path(dealt_path(str(tmp_path), 7)).exists()


def test_of_a_shard_that_cannot_be_written_whole_no_files_are_told(records, tmp_path, full_disk):
    with pytest.raises(OSError, match="No space left"):
        deal_shard(Deal(7, records, ("train",) * 4, ("train",)), str(tmp_path))
    assert not Path(dealt_path(str(tmp_path), 7)).exists()
