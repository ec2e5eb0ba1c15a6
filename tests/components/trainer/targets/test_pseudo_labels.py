"""Pictures that a model is sure of: taken once each, with its label, and found again."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from components import progress
from components.trainer.inputs.examples import count_labels, records
from components.trainer.settings.pseudo_labels import PseudoLabelSettings
from components.trainer.targets import pseudo_labels

CLASSES = ("bar", "disc", "frame")
# What the model says of each picture: sure, unsure, sure, and of the same picture again.
PROBABILITIES = ((0.96, 0.03, 0.01), (0.5, 0.4, 0.1), (0.0, 0.05, 0.95), (0.0, 0.05, 0.95))
IDS = (b"0", b"1", b"2", b"2")


@pytest.fixture
def unlabelled(tmp_path):
    """The example file of four pictures without labels."""
    path = str(tmp_path / "unlabelled.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for image_id in IDS:
            example = tf.train.Example()
            for name, value in (("image_id", image_id), ("label", b""), ("image", image_id)):
                example.features.feature[name].bytes_list.value.append(value)
            writer.write(example.SerializeToString())
    return path


class Reader:
    """Gives pictures of one pixel, whose channels are what the model is to say."""

    def view_batches(self, files, count):
        assert count == len(IDS)
        logits = np.log(np.maximum(np.array(PROBABILITIES, np.float32), 1e-9))
        pixels = logits.reshape(4, 1, 1, 3)
        return tf.data.Dataset.from_tensor_slices((pixels, np.full(4, -1, np.int64))).batch(3)


def model_of(say):
    """A classifier that answers what `say` makes of the channels."""
    pixels = keras.Input((1, 1, 3))
    return keras.Model(pixels, say(keras.layers.Flatten()(pixels)))


def label(folder, unlabelled, model, threshold=0.9, classes=CLASSES):
    folder.mkdir(exist_ok=True)
    settings = PseudoLabelSettings(source="x", threshold=threshold)
    return pseudo_labels.label_pictures(
        model_of(model) if model else None, Reader(), [unlabelled], classes, settings, folder
    )


def say(logits):
    """What is not asked in inference mode has half of its logits dropped."""
    return keras.layers.Dropout(0.5)(logits)


def test_what_the_model_is_sure_of_is_taken_once_with_its_label(unlabelled, tmp_path):
    told = []
    with progress.watched_by(told.append):
        found = label(tmp_path / "state", unlabelled, say)
    assert [(step.done, step.total) for step in told] == [(3, 4), (4, 4)]
    assert (found.counts.unlabelled, found.counts.total) == (4, 2)
    assert found.counts.taken == {"bar": 1, "disc": 0, "frame": 1}
    assert count_labels([found.file]) == {"bar": 1, "frame": 1}
    examples = map(tf.train.Example.FromString, records([found.file]).as_numpy_iterator())
    ids = [example.features.feature["image_id"].bytes_list.value[0] for example in examples]
    assert ids == [b"0", b"2"]


def test_after_a_restart_nobody_is_asked_again(unlabelled, tmp_path):
    found = label(tmp_path / "state", unlabelled, say)
    assert label(tmp_path / "state", unlabelled, model=None) == found


def test_nothing_reaches_a_high_threshold(unlabelled, tmp_path):
    assert label(tmp_path / "state", unlabelled, say, threshold=0.97).counts.total == 0


def test_one_logit_is_that_of_the_second_of_two_classes(unlabelled, tmp_path):
    def one_logit(logits):
        return logits[:, 1:2] - logits[:, :1]

    found = label(tmp_path / "state", unlabelled, one_logit, classes=("no", "yes"))
    assert found.counts.taken == {"no": 1, "yes": 1}, "the last is a copy"


def test_the_order_of_the_classes_is_that_of_the_outputs(unlabelled, tmp_path):
    found = label(tmp_path / "state", unlabelled, say, classes=("frame", "bar", "disc"))
    assert found.counts.taken == {"frame": 1, "bar": 0, "disc": 1}
    assert count_labels([found.file]) == {"frame": 1, "disc": 1}


def test_a_probability_equal_to_the_threshold_is_enough(unlabelled, tmp_path):
    def half(logits):
        return 0.0 * logits[:, :1]

    found = label(tmp_path / "state", unlabelled, half, threshold=0.5, classes=("no", "yes"))
    assert found.counts.taken == {"no": 3, "yes": 0}, "of four pictures one is a copy"


@pytest.mark.parametrize("damaged", ["pseudo-labels.json", "pseudo-labels.gz"])
@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_damaged_files_of_an_earlier_attempt_are_made_again(
    damaged, content, unlabelled, tmp_path, caplog
):
    found = label(tmp_path / "state", unlabelled, say)
    (tmp_path / "state" / damaged).write_bytes(content)
    assert label(tmp_path / "state", unlabelled, say) == found
    assert count_labels([found.file]) == {"bar": 1, "frame": 1}
    assert "is damaged" in caplog.text


def test_the_files_of_unlabelled_pictures_are_told_apart_by_their_split():
    files = ["/a/Split-train/x.gz", "/a/Split-unlabelled/x.gz"]
    assert pseudo_labels.split_files(files) == (files[:1], files[1:])


@pytest.mark.parametrize("gone", [True, False])
def test_pictures_that_are_gone_or_too_many_are_taken_again(gone, unlabelled, tmp_path):
    found = label(tmp_path / "state", unlabelled, say)
    file = tmp_path / "state" / "pseudo-labels.gz"
    if gone:
        file.unlink()
    else:
        file.write_bytes(2 * file.read_bytes())
    assert label(tmp_path / "state", unlabelled, say) == found
    assert count_labels([found.file]) == {"bar": 1, "frame": 1}


def test_of_two_copies_the_one_that_the_model_is_sure_of_is_taken(
    unlabelled, tmp_path, monkeypatch
):
    unsure_first = np.array(PROBABILITIES)
    unsure_first[2] = (0.3, 0.3, 0.4)
    monkeypatch.setitem(globals(), "PROBABILITIES", unsure_first)
    assert label(tmp_path / "state", unlabelled, say).counts.taken == {
        "bar": 1,
        "disc": 0,
        "frame": 1,
    }
