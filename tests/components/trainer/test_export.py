"""The SavedModel: its contract, and that it sees the very pixels that training saw."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.core.protobuf import saved_model_pb2

from components.classes import read_classes
from components.errors import UserError
from components.graph_check import forbidden_operations
from components.trainer import export as exporting
from components.trainer.calibration import (
    Abstention,
    Calibration,
    LabelSets,
    answer,
    is_unsure,
)
from components.trainer.export import export, export_bytes, require_export_space
from components.trainer.inputs.examples import ExampleReader
from components.trainer.network.classifier import build_classifier
from components.trainer.network.scorer import Scorer
from components.trainer.settings.trainer import BackboneSettings, HeadSettings

CLASSES = ["zweite Klasse", "first", "третий"]


@pytest.fixture(scope="module")
def network():
    """A network that answers with three pixels as its logits."""
    pixels = keras.Input((32, 32, 3))
    return keras.Model(pixels, 5.0 * keras.layers.Flatten()(pixels)[:, 1500:1503])


@pytest.fixture(scope="module")
def exported(analyzed, network, tmp_path_factory):
    """Its SavedModel."""
    path = str(tmp_path_factory.mktemp("exported") / "model")
    export(Scorer(network), tft.TFTransformOutput(analyzed.folder), CLASSES, path)
    return path


@pytest.fixture(scope="module")
def signatures(exported):
    loaded = tf.saved_model.load(exported)
    yield loaded.signatures
    del loaded  # its functions live no longer than the object


def records(analyzed):
    return [r.numpy() for r in tf.data.TFRecordDataset(analyzed.file, "GZIP")]


def test_serving_sees_the_pixels_of_training(analyzed, signatures):
    reader = ExampleReader(tft.TFTransformOutput(analyzed.folder), batch_size=48)
    ((pixels, _),) = reader.view_batches([analyzed.file], 48)
    logits = 5.0 * tf.reshape(pixels, [48, -1])[:, 1500:1503]
    images = tf.constant([image for image, _ in analyzed.pictures])
    served = signatures["serving_default"](images)["probabilities"]
    np.testing.assert_allclose(served, tf.nn.softmax(logits), atol=1e-6)
    assert np.ptp(served.numpy()[:, 0]) > 0.1, "the pixels differ, so must the answers"


def test_examples_and_bytes_get_the_same_answer(analyzed, signatures):
    images = tf.constant([image for image, _ in analyzed.pictures])
    of_bytes = signatures["serving_default"](images)
    of_examples = signatures["from_examples"](tf.constant(records(analyzed)))
    for name in ("label", "probability", "probabilities", "classes"):
        np.testing.assert_array_equal(of_bytes[name], of_examples[name])


def test_the_answer_keeps_the_contract(analyzed, signatures):
    answer = signatures["serving_default"](tf.constant([analyzed.pictures[0][0]] * 2))
    assert {name: (t.dtype, t.shape.as_list()) for name, t in answer.items()} == {
        "label": (tf.string, [2]),
        "probability": (tf.float32, [2]),
        "probabilities": (tf.float32, [2, 3]),
        "classes": (tf.string, [2, 3]),
    }
    names = [name.decode() for name in answer["classes"].numpy()[0]]
    best = int(np.argmax(answer["probabilities"][0]))
    assert names == CLASSES
    assert answer["label"].numpy()[0].decode() == CLASSES[best]
    assert answer["probability"][0] == answer["probabilities"][0][best]


def test_the_input_is_named_so_that_rest_clients_may_send_base64(signatures):
    (name,) = signatures["serving_default"].structured_input_signature[1]
    assert name == "image_bytes"


def test_labels_are_those_of_the_transform_graph(analyzed, signatures):
    labels = signatures["transform_features"](tf.constant(records(analyzed)))["label_xf"]
    vocabulary = tft.TFTransformOutput(analyzed.folder).vocabulary_by_name("labels")
    expected = [vocabulary.index(label.encode()) for _, label in analyzed.pictures]
    assert labels.numpy().tolist() == expected


def test_a_network_without_a_backbone_of_maps_has_no_signature_explain(signatures):
    assert sorted(signatures) == ["from_examples", "serving_default", "transform_features"]


def test_a_classifier_explains_the_answers_that_it_gives(analyzed, tiny_network, tmp_path):
    backbone = BackboneSettings(weights="none", image_size=32)
    model = build_classifier(backbone, HeadSettings(), num_classes=3, steps=10)
    export(Scorer(model), tft.TFTransformOutput(analyzed.folder), CLASSES, str(tmp_path / "m"))
    assert forbidden_operations(tmp_path / "m") == []
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    images = tf.constant([image for image, _ in analyzed.pictures[:5]])
    explained = loaded.signatures["explain"](image_bytes=images)
    answer = loaded.signatures["serving_default"](image_bytes=images)
    for name in answer:
        np.testing.assert_array_equal(answer[name], explained[name])
    maps = explained["heat_map"]
    assert maps.dtype == tf.float32 and maps.shape == [5, 7, 7]
    assert set(np.max(maps, axis=(1, 2))) <= {0.0, 1.0} and np.min(maps) >= 0.0
    assert np.ptp(maps[0]) > 0.1 and not np.allclose(maps[0], maps[1]), "each picture has its own"


def test_bytes_that_are_no_picture_are_an_error_and_the_next_request_is_answered(
    analyzed, signatures
):
    with pytest.raises(tf.errors.InvalidArgumentError):
        signatures["serving_default"](tf.constant([b"no picture"]))
    signatures["serving_default"](tf.constant([analyzed.pictures[0][0]]))


def test_the_network_is_traced_before_the_export_alone(analyzed, network, tmp_path, monkeypatch):
    scorer = Scorer(network)
    monkeypatch.setattr(network, "call", lambda *_, **__: pytest.fail("traced again"))
    sizes = []
    monkeypatch.setattr(exporting, "write_requests", lambda path, size: sizes.append((path, size)))
    export(scorer, tft.TFTransformOutput(analyzed.folder), CLASSES, str(tmp_path / "m"))
    assert sizes == [(str(tmp_path / "m"), 32)], "requests to warm up with are of its size"


def test_no_layer_of_keras_is_saved_with_it(exported):
    saved = saved_model_pb2.SavedModel.FromString(Path(exported, "saved_model.pb").read_bytes())
    nodes = saved.meta_graphs[0].object_graph_def.nodes
    kinds = {node.user_object.identifier for node in nodes if node.HasField("user_object")}
    assert "_generic_user_object" in kinds
    assert not [kind for kind in kinds if "keras" in kind], "its call is traced again for each"


def test_one_logit_becomes_two_probabilities(analyzed, tmp_path):
    pixels = keras.Input((32, 32, 3))
    model = keras.Model(pixels, keras.layers.Flatten()(pixels)[:, 1500:1501])
    export(
        Scorer(model), tft.TFTransformOutput(analyzed.folder), ["no", "yes"], str(tmp_path / "m")
    )
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    image = tf.constant([analyzed.pictures[0][0]])
    answer = loaded.signatures["serving_default"](image)
    reader = ExampleReader(tft.TFTransformOutput(analyzed.folder), batch_size=1)
    first, _ = next(iter(reader.view_batches([analyzed.file], 48)))
    logit = tf.reshape(first, [-1])[1500]
    np.testing.assert_allclose(answer["probabilities"][0][1], tf.sigmoid(logit), atol=1e-6)
    np.testing.assert_allclose(tf.reduce_sum(answer["probabilities"]), 1.0, atol=1e-6)


def test_it_only_computes(exported):
    assert forbidden_operations(exported) == []


def test_the_classes_travel_with_the_model(exported):
    assert read_classes(exported) == CLASSES


LEARNT = Calibration(
    temperature=2.5,
    abstention=Abstention(0.9, 0.95, sure_above=0.3, sure=30, right=30, proved=0.905),
    label_sets=LabelSets(0.9, least_log_probability=-1.0, mean_size=2.0, validation_coverage=0.9),
)


@pytest.mark.parametrize(
    "learnt",
    [
        LEARNT,
        # Nothing was proved: unsure of everything, and every class is in the set.
        Calibration(
            abstention=Abstention(0.9, 0.95, None, 0, 0, 0.0),
            label_sets=LabelSets(0.9, None, 3.0, 1.0),
        ),
    ],
)
def test_the_graph_says_what_was_learnt(analyzed, network, tmp_path, learnt):
    graph = tft.TFTransformOutput(analyzed.folder)
    scorer = Scorer(network)
    export(scorer, graph, CLASSES, str(tmp_path / "m"), learnt)
    assert forbidden_operations(tmp_path / "m") == []
    ((pixels, _),) = ExampleReader(graph, batch_size=48).view_batches([analyzed.file], 48)
    logits = scorer.logits(pixels).numpy()
    wanted = answer(logits, learnt)
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    images = tf.constant([image for image, _ in analyzed.pictures])
    for signature, batch in (
        ("serving_default", images),
        ("from_examples", tf.constant(records(analyzed))),
    ):
        answers = loaded.signatures[signature](batch)
        np.testing.assert_allclose(answers["probabilities"], wanted.probabilities, atol=1e-6)
        highest = np.max(answers["probabilities"], axis=1)
        np.testing.assert_array_equal(answers["probability"], highest)
        assert (answers["unsure"].dtype, answers["in_label_set"].dtype) == (tf.bool, tf.bool)
        np.testing.assert_array_equal(answers["unsure"], wanted.unsure)
        np.testing.assert_array_equal(answers["in_label_set"], wanted.in_label_set)
        best = wanted.probabilities.argmax(axis=1)
        assert [name.decode() for name in answers["label"].numpy()] == [CLASSES[b] for b in best]
    if learnt is LEARNT:
        assert 0 < wanted.unsure.sum() < 48 and 48 < wanted.in_label_set.sum() < 48 * 3
        most_probable = scipy.special.log_softmax(logits, axis=1).max(axis=1)
        assert most_probable.min() < -1.0, "a class may be in as the best alone"
    else:
        assert wanted.unsure.all() and wanted.in_label_set.all()


def test_a_picture_that_is_just_as_sure_as_the_bound_is_unsure_in_the_graph_too():
    logits = np.array([[1.5, 0.0], [2.0, 0.0], [0.0, 2.0], [2.5, 0.0]], np.float32)
    abstention = Abstention(0.9, 0.95, 2.0, 1, 1, 0.5)
    is_best = logits == logits.max(axis=1, keepdims=True)
    in_graph = exporting._unsure(tf.constant(logits), tf.constant(is_best), abstention)
    assert in_graph.numpy().tolist() == [True, True, True, False]
    assert is_unsure(logits, abstention).tolist() == [True, True, True, False]


def test_a_disk_on_which_the_export_just_fits_is_enough(network, tmp_path, monkeypatch):
    free, asked = export_bytes(network), []

    def disk_usage(folder):
        asked.append(folder)
        return SimpleNamespace(free=free)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    path = str(tmp_path / "not yet" / "there")
    require_export_space(network, path)
    free -= 1
    with pytest.raises(UserError, match=rf"takes 67 MB, but {tmp_path} has only 67 MB free"):
        require_export_space(network, path)
    assert asked == [tmp_path, tmp_path], "the folder that there is"


def test_what_a_foreign_network_holds_takes_disk_too(network, monkeypatch):
    before = export_bytes(network)
    loaded = SimpleNamespace(variables=[tf.Variable(tf.zeros([10, 100], tf.float16))])
    monkeypatch.setattr(exporting.saved_model, "loaded_parts", lambda model: [loaded])
    assert export_bytes(network) == before + 2000
