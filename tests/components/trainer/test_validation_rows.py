"""The rows of the validation split, and what is refused before a training."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.special
import tensorflow as tf

from components import features, progress
from components.errors import UserError
from components.predictions import VALIDATION_FILE, read_predictions
from components.trainer import validation_rows
from components.trainer.settings.serving import ServingSettings
from components.trainer.validation_rows import Validated, learn, write_evidence

CLASSES = ["cat", "dog"]


@pytest.fixture
def validated(tmp_path) -> Validated:
    """40 pictures, of which the last ten are copies of the first."""
    random = np.random.default_rng(0)
    count = 40
    labels = random.integers(0, 2, count)
    logits = random.standard_normal((count, 2)).astype(np.float32)
    logits[np.arange(count), labels] += 9
    # Wrong, and unsure of it.
    logits[[0, 30], labels[0]], logits[[0, 30], 1 - labels[0]] = 0.0, 0.01
    labels[30] = labels[0]
    ids = [f"id{number:02d}" for number in range(count)]
    texts = {
        features.IMAGE_ID: ids,
        features.PATH: [f"{number:02d}.png" for number in reversed(range(count))],
        features.LABEL: [CLASSES[label] for label in labels],
    }
    examples = tmp_path / "examples"
    examples.mkdir()
    groups = [f"id{number % 30:02d}" for number in range(count)]
    table = {"image_id": ids, "path": texts["path"], "group": groups, "width": [9] * count}
    pq.write_table(pa.table(table), examples / features.PICTURES_FILE)
    return Validated(texts, labels, logits, examples)


def test_the_rows_are_those_of_the_evaluator_and_what_was_learnt_lies_beside_them(
    validated, tmp_path
):
    settings = ServingSettings(calibrate=True, abstain={"accuracy": 0.9}, label_set=0.9)
    found = learn(validated, CLASSES, settings)
    folder = tmp_path / "model" / "evidence"
    write_evidence(validated, found, CLASSES, str(folder))
    rows = read_predictions(folder, VALIDATION_FILE)
    assert rows.classes == CLASSES and rows.served is None
    assert rows.pictures["path"].tolist() == sorted(validated.texts["path"])
    assert len(np.unique(rows.groups)) == 30 and rows.pictures["width"].tolist() == [9] * 40
    np.testing.assert_array_equal(rows.labels, validated.labels[::-1])
    scaled = scipy.special.softmax(validated.logits[::-1] / found.temperature, axis=1)
    np.testing.assert_allclose(rows.candidate, scaled, rtol=1e-5)
    assert rows.unsure.dtype == bool and rows.in_label_set.shape == (40, 2)
    assert np.flatnonzero(rows.unsure[::-1]).tolist() == [0, 30]
    evidence = json.loads((folder / features.CALIBRATION_FILE).read_text())
    assert (evidence["pictures"], evidence["copies"]) == (30, 10)
    assert evidence["temperature"] == found.temperature


def test_without_the_block_there_are_the_rows_alone(validated, tmp_path):
    found = learn(validated, CLASSES, ServingSettings())
    write_evidence(validated, found, CLASSES, str(tmp_path / "evidence"))
    assert [path.name for path in (tmp_path / "evidence").iterdir()] == [VALIDATION_FILE]
    rows = read_predictions(tmp_path / "evidence", VALIDATION_FILE)
    assert rows.unsure is None and rows.in_label_set is None
    softmax = scipy.special.softmax(validated.logits[::-1], axis=1)
    np.testing.assert_allclose(rows.candidate, softmax, rtol=1e-5)


def test_what_cannot_be_had_is_said_aloud(validated, caplog):
    found = learn(validated, CLASSES, ServingSettings(abstain={"accuracy": 0.99}))
    assert found.abstention.sure_above is None
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.endswith("so the model is unsure of every picture")


@pytest.mark.parametrize("logit", [float("nan"), float("inf"), float("-inf")])
def test_answers_that_are_not_finite_stop_it(monkeypatch, logit):
    monkeypatch.setattr(
        validation_rows, "text_features", lambda files, names: {name: ["x"] for name in names}
    )
    pixels = tf.zeros([1, 4, 4, 3])
    reader = SimpleNamespace(view_batches=lambda files, count: [(pixels, tf.constant([0]))])
    scorer = SimpleNamespace(logits=lambda pixels: tf.constant([[logit, 0.0]]))
    with pytest.raises(UserError, match=r"answers for validation pictures are not all finite$"):
        validation_rows.ask(scorer, reader, ["/examples/Split-validation/a.gz"])


def test_rows_of_an_earlier_attempt_are_written_over(validated, tmp_path):
    folder = tmp_path / "evidence"
    settings = ServingSettings(calibrate=True)
    for logits in (-validated.logits, validated.logits):
        asked = dataclasses.replace(validated, logits=logits)
        found = learn(asked, CLASSES, settings)
        write_evidence(asked, found, CLASSES, str(folder))
    rows = read_predictions(folder, VALIDATION_FILE)
    assert (rows.candidate.argmax(axis=1) == rows.labels).sum() == 38
    evidence = json.loads((folder / features.CALIBRATION_FILE).read_text())
    assert evidence["temperature"] == found.temperature


def test_every_picture_is_asked_about_and_counted(monkeypatch):
    texts = {"image_id": list("abc"), "path": list("123"), "label": ["cat", "dog", "cat"]}
    monkeypatch.setattr(validation_rows, "text_features", lambda files, names: texts)
    batches = [(tf.zeros([2, 1]), tf.constant([0, 1])), (tf.ones([1, 1]), tf.constant([0]))]
    reader = SimpleNamespace(view_batches=lambda files, count: batches)
    scorer = SimpleNamespace(logits=lambda pixels: tf.concat([pixels, 1 - pixels], axis=1))
    told = []
    with progress.watched_by(told.append):
        found = validation_rows.ask(scorer, reader, ["/examples/Split-validation/a.gz"])
    assert [(step.done, step.total) for step in told] == [(2, 3), (3, 3)]
    assert found.examples == Path("/examples")
    assert found.texts == texts and found.labels.tolist() == [0, 1, 0]
    assert found.logits.tolist() == [[0, 1], [0, 1], [1, 0]]


@pytest.mark.parametrize("settings", [{"label_set": 0.9}, {"abstain": {"accuracy": 0.9}}])
def test_whatever_was_learnt_lies_beside_the_rows(validated, tmp_path, settings):
    found = learn(validated, CLASSES, ServingSettings(**settings))
    write_evidence(validated, found, CLASSES, str(tmp_path / "evidence"))
    evidence = json.loads((tmp_path / "evidence" / features.CALIBRATION_FILE).read_text())
    assert evidence == json.loads(json.dumps(found.as_json()))
    rows = read_predictions(tmp_path / "evidence", VALIDATION_FILE)
    assert (rows.in_label_set is not None) == ("label_set" in settings)
    assert (rows.unsure is not None) == ("abstain" in settings)
