"""`predictions.parquet`: what workers leave becomes rows with facts; what is damaged is said."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import UserError
from components.predictions import (
    ANSWERS,
    PREDICTIONS_FILE,
    Predictions,
    duplicate_groups,
    fact_columns,
    gather,
    most_probable,
    read_predictions,
    trained_ids,
)

pytestmark = pytest.mark.one_line

ROWS = [
    {"image_id": "b", "path": "dog/1", "label": "dog", "candidate": [0.25, 0.75], "served": None},
    {"image_id": "a", "path": "cat/2", "label": "cat", "candidate": [1.0, 0.0], "served": None},
    {"image_id": "a", "path": "cat/1", "label": "cat", "candidate": [0.5, 0.5], "served": None},
]


def test_what_is_no_number_makes_no_class_the_right_one():
    nan = np.nan
    scores = np.array([[nan, nan, nan], [nan, 0.2, 0.8], [0.1, nan, 0.8], [0.1, 0.2, 0.7]])
    assert (most_probable(np.arange(4) % 3, scores) == np.arange(4) % 3).tolist() == [False] * 4
    assert most_probable(np.arange(4) % 3, scores).tolist() == [1, 2, 0, 2], "each is a class"
    labels = np.array([1, 1, 2, 2])
    assert (most_probable(labels, scores) == labels).tolist() == [False, False, False, True]


@pytest.fixture
def write(tmp_path):
    """Writes the rows as two workers would, and gathers them; gives the evaluation's folder."""

    def write(rows=ROWS, pictures=None):
        for number, part in enumerate((rows[:1], rows[1:])):
            table = pa.Table.from_pylist(part, ANSWERS)
            pq.write_table(table, tmp_path / f"answers-{number}")
        examples = tmp_path / "examples"
        examples.mkdir()
        if pictures is not None:
            pq.write_table(pa.table(pictures), examples / "pictures.parquet")
        files = sorted(tmp_path.glob("answers-*"))
        gather(files, examples, ["cat", "dog"], tmp_path / PREDICTIONS_FILE)
        return tmp_path

    return write


PICTURES = {
    "image_id": ["a", "a", "b", "c"],
    "path": ["cat/1", "cat/2", "dog/1", "dog/2"],
    "group": ["a", "a", "b", "c"],
    "label": ["cat", "cat", "dog", "dog"],
    "split": ["test", "test", "test", "train"],
    "width": [10, 10, 30, 40],
    "column_camera": ["x", "y", "z", "z"],
}


def test_rows_are_sorted_and_have_their_own_facts(write):
    found = read_predictions(write(pictures=PICTURES))
    assert found.pictures["path"].tolist() == ["cat/1", "cat/2", "dog/1"]
    assert found.pictures["column_camera"].tolist() == ["x", "y", "z"]
    assert fact_columns(found.pictures) == ["width", "column_camera"]
    assert found.groups.tolist() == [0, 0, 1] and found.labels.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(found.candidate, [[0.5, 0.5], [1, 0], [0.25, 0.75]])
    assert found.candidate.dtype == np.float32 and found.served is None


def test_rows_are_in_the_order_of_their_paths_and_look_alikes_have_one_group(tmp_path):
    rows = [("dog/1", "a", "dog"), ("cat/2", "b", "cat"), ("cat/1", "z", "cat")]
    answers = [
        {"path": path, "image_id": image_id, "label": label, "candidate": [0.75, 0.25]}
        for path, image_id, label in rows
    ]
    pq.write_table(pa.Table.from_pylist(answers, ANSWERS), tmp_path / "answers")
    pictures = {
        "image_id": ["a", "b", "z"],
        "path": ["dog/1", "cat/2", "cat/1"],
        "group": ["a", "b", "b"],
        "split": ["test"] * 3,
    }
    pq.write_table(pa.table(pictures), tmp_path / "pictures.parquet")
    gather([tmp_path / "answers"], tmp_path, ["dog", "cat"], tmp_path / PREDICTIONS_FILE)
    found = read_predictions(tmp_path)
    assert found.pictures["path"].tolist() == ["cat/1", "cat/2", "dog/1"]
    assert found.groups.tolist() == [1, 1, 0]
    assert found.classes == ["dog", "cat"] and found.labels.tolist() == [1, 1, 0]
    assert set(found.pictures) == {"image_id", "path", "label", "group"}


def test_without_a_table_of_pictures_the_id_is_the_group(write):
    found = read_predictions(write())
    assert found.groups.tolist() == [0, 0, 1] and fact_columns(found.pictures) == []


def test_the_served_model_s_answers_are_there_too(write):
    found = read_predictions(write([{**row, "served": [0.0, 1.0]} for row in ROWS]))
    np.testing.assert_array_equal(found.served, [[0, 1]] * 3)


def test_right_is_what_agrees_with_the_label_and_not_what_both_models_say():
    candidate, served = [[0.9, 0.1], [0.75, 0.25], [0.25, 0.75]], [[1, 0], [0.6, 0.4], [1, 0]]
    found = Predictions(
        ["cat", "dog"],
        pd.DataFrame(),
        np.array([0, 1, 1]),
        np.arange(3),
        np.array(candidate, np.float32),
        np.array(served, np.float32),
    )
    assert found.given.tolist() == [0, 0, 1] and found.right.tolist() == [True, False, True]
    assert found.served_given.tolist() == [0, 0, 0]
    assert found.served_right.tolist() == [True, False, False]
    np.testing.assert_array_equal(found.sure, np.float32([0.9, 0.75, 0.75]))


def test_answers_to_some_of_the_pictures_are_none(write):
    rows = [{**row, "served": [0.0, 1.0] if number else None} for number, row in enumerate(ROWS)]
    assert read_predictions(write(rows)).served is None


def test_an_empty_split_has_no_rows(write):
    found = read_predictions(write([]))
    assert len(found.labels) == len(found.groups) == 0 and found.candidate.shape == (0, 2)


def test_where_no_worker_had_a_picture_there_are_no_rows(tmp_path):
    gather([], tmp_path, ["cat", "dog"], tmp_path / PREDICTIONS_FILE)
    found = read_predictions(tmp_path)
    assert found.classes == ["cat", "dog"] and found.candidate.shape == (0, 2)


def test_what_is_damaged_is_said(write, tmp_path):
    path = write() / PREDICTIONS_FILE
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"predictions\.parquet is missing or damaged: "):
        read_predictions(tmp_path)
    path.unlink()
    with pytest.raises(UserError, match=r"predictions\.parquet is missing or damaged: "):
        read_predictions(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.replace_schema_metadata(None),
        lambda table: table.replace_schema_metadata({"classes": "{"}),
        lambda table: table.replace_schema_metadata({"classes": "3"}),
        lambda table: table.replace_schema_metadata({"classes": '["cat"]'}),
        lambda table: table.drop(["candidate"]),
        lambda table: table.drop(["label"]),
    ],
)
def test_a_table_that_is_none_of_answers_is_said(write, change):
    path = write() / PREDICTIONS_FILE
    pq.write_table(change(pq.read_table(path)), path)
    with pytest.raises(UserError, match=rf"^{path} is missing or damaged: "):
        read_predictions(path.parent)


def test_what_a_served_model_has_learnt(tmp_path):
    with pytest.raises(FileNotFoundError):
        trained_ids(tmp_path)
    pictures = {
        "image_id": ["a", "b", "c", "d", "e"],
        "group": ["a", "g", "c", "d", "e"],
        "split": ["train", "validation", "test", "unlabelled", "test"],
    }
    pq.write_table(pa.table(pictures), tmp_path / "pictures.parquet")
    assert trained_ids(tmp_path) == {"a", "b", "g", "d"}
    (tmp_path / "pictures.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"pictures\.parquet is damaged: "):
        trained_ids(tmp_path)


def test_what_the_model_says_of_its_sureness_is_kept(write):
    said = [
        {**row, "unsure": row["label"] == "dog", "in_label_set": [True, row["label"] == "dog"]}
        for row in ROWS
    ]
    found = read_predictions(write(said, pictures=PICTURES))
    assert found.unsure.tolist() == [False, False, True]
    assert found.in_label_set.tolist() == [[True, False], [True, False], [True, True]]
    assert not {"unsure", "in_label_set"} & set(found.pictures), "they are no facts of pictures"


def test_a_file_from_before_there_was_such_a_thing_is_read(write):
    folder = write(pictures=PICTURES)
    table = pq.read_table(folder / PREDICTIONS_FILE).drop(["unsure", "in_label_set"])
    pq.write_table(table, folder / PREDICTIONS_FILE)
    found = read_predictions(folder)
    assert found.unsure is None and found.in_label_set is None


def test_groups_are_those_of_the_table_of_pictures(tmp_path):
    assert duplicate_groups(["a", "b"], tmp_path) == ["a", "b"]
    pq.write_table(pa.table({"image_id": ["b", "a"], "group": ["g", "g"]}),
                   tmp_path / "pictures.parquet")  # fmt: skip
    assert duplicate_groups(["a", "b"], tmp_path) == ["g", "g"]
    pq.write_table(pa.table({"image_id": ["b", "c", "a"], "group": ["1", "2", "3"]}),
                   tmp_path / "pictures.parquet")  # fmt: skip
    assert duplicate_groups(["a", "b", "a"], tmp_path) == ["3", "1", "3"]
