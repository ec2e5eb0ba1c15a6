"""The search for wrong labels: the order, and the whole of it on pictures with labels swapped."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from components import progress
from components.trainer import wrong_labels
from components.trainer.settings.trainer import TrainerSettings


def test_only_those_that_are_taken_for_another_class_are_ranked():
    labels = np.array([0, 1, 1, 2, 0])
    probabilities = np.array(
        [
            [0.4, 0.3, 0.3],  # unsure, but of the same opinion
            [0.6, 0.2, 0.2],
            [0.1, 0.05, 0.85],
            [np.nan] * 3,
            [0.2, 0.6, 0.2],
        ]
    )
    assert wrong_labels.rank(labels, probabilities).tolist() == [2, 1, 4]


def test_without_doubts_there_is_nothing():
    assert wrong_labels.rank(np.array([0, 1]), np.eye(2)).tolist() == []


def test_a_picture_is_judged_by_those_that_have_not_seen_a_copy(monkeypatch, placed):
    judged = []

    def frozen_features(*_):
        assert placed == ["cpu"]
        return np.zeros((2, 1)), np.arange(2)

    def out_of_fold(features, labels, groups, *others):
        judged.extend([*groups, *others])
        return np.eye(2)

    texts = {"image_id": ["x", "y"], "path": ["1.png", "2.png"]}
    inputs = SimpleNamespace(reader=None, classes=["bar", "disc"])
    monkeypatch.setattr(wrong_labels, "open_inputs", lambda *_: inputs)
    monkeypatch.setattr(wrong_labels, "frozen_features", frozen_features)
    monkeypatch.setattr(wrong_labels, "text_features", lambda *_: texts)
    monkeypatch.setattr(wrong_labels, "out_of_fold_probabilities", out_of_fold)
    settings = TrainerSettings(seed=5, training={"device": "cpu"})
    assert wrong_labels.find_suspects(settings, "", [], {"x": "g", "y": "g"}) == []
    assert judged == ["g", "g", 2, 5], "groups, classes, seed"


@pytest.fixture
def swapped(analyzed, tmp_path):
    """The 48 shapes, of which one bar is called a disc; gives the file and that picture's id."""
    records = list(tf.data.TFRecordDataset(analyzed.file, "GZIP").as_numpy_iterator())
    example = tf.train.Example.FromString(records[0])
    example.features.feature["label"].bytes_list.value[0] = b"disc"
    example.features.feature["path"].bytes_list.value[0] = b"discs/ein Bild"
    path = str(tmp_path / "data_tfrecord-00000-of-00001.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for record in [example.SerializeToString(), *records[1:]]:
            writer.write(record)
    return path, example.features.feature["image_id"].bytes_list.value[0].decode()


def test_a_suspect_says_which_picture_what_it_is_called_and_what_it_seems(
    analyzed, swapped, tiny_network, monkeypatch
):
    """On features that tell the true shapes."""
    file, image_id = swapped

    def known(backbone, reader, files):
        _, labels = zip(*reader.view_batches(files, 48), strict=True)
        labels = np.concatenate([one.numpy() for one in labels])
        true = labels.copy()
        true[0] = labels[1]  # as the picture beside it, a bar
        rng = np.random.default_rng(0)
        return (np.eye(3)[true] * 5 + rng.normal(0, 1, (48, 3))).astype(np.float32), labels

    monkeypatch.setattr(wrong_labels, "frozen_features", known)
    settings = TrainerSettings(backbone={"image_size": 32})
    groups = {one: one for one in wrong_labels.text_features([file], ["image_id"])["image_id"]}
    first, *_ = wrong_labels.find_suspects(settings, analyzed.folder, [file], groups)
    assert (first.image_id, first.path) == (image_id, "discs/ein Bild")
    assert (first.given, first.suggested) == ("disc", "bar") and 0 <= first.score < 0.5


def test_features_are_those_of_the_backbone_in_the_files_order(analyzed, tiny_network):
    import tensorflow_transform as tft

    from components.trainer.inputs.examples import ExampleReader
    from components.trainer.linear_probe import frozen_features
    from components.trainer.network.initial_weights import pretrained_network

    backbone = TrainerSettings(backbone={"image_size": 32, "weights": "imagenet"}).backbone
    reader = ExampleReader(tft.TFTransformOutput(analyzed.folder), 20)
    told = []
    with progress.watched_by(told.append):
        features, labels = frozen_features(backbone, reader, [analyzed.file])
    assert [(step.done, step.total) for step in told] == [(20, 48), (40, 48), (48, 48)]
    batches = list(reader.view_batches([analyzed.file], 48))
    pixels = np.concatenate([one.numpy() for one, _ in batches])
    expected = pretrained_network(backbone)(pixels).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    assert labels.tolist() == np.concatenate([one.numpy() for _, one in batches]).tolist()
