"""What the pages of Kubeflow Pipelines show of a run."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from components.evaluator.config import EvaluationSettings
from components.evaluator.results import make_metrics, write_metrics
from components.predictions import Predictions
from components.report.page_files import PAGE_FILE
from pipeline.kubeflow.package import backend_rules, report_outputs
from pipeline.kubeflow.step import evidence

ROOT = "minio://b/Report/1"


def predictions(classes: int, scores=None) -> Predictions:
    """Two pictures of each class; the last class is never the answer."""
    labels = np.repeat(np.arange(classes), 2)
    if scores is None:
        answers = np.minimum(labels, classes - 2)
        scores = np.where(np.eye(classes)[answers] > 0, 0.9, 0.1 / (classes - 1))
    names = [f"class {number:03}" for number in range(classes)]
    pictures = pd.DataFrame({"image_id": labels.astype(str), "path": "a", "group": "g"})
    return Predictions(names, pictures, labels, labels, scores.astype(np.float32), None)


def metrics(made: Predictions):
    return make_metrics(made, EvaluationSettings())


@pytest.fixture
def step(tmp_path):
    """Lays a step's folders out; gives what `fill` makes of them."""
    report, evaluation = tmp_path / "report", tmp_path / "evaluation"
    report.mkdir()
    evaluation.mkdir()
    (report / PAGE_FILE).write_text("<!doctype html>the page")
    given = {
        "outputs": {
            "artifacts": {
                key: {
                    "artifacts": [
                        {
                            "name": key,
                            "uri": f"{ROOT}/{key}",
                            "type": {"schemaTitle": title, "schemaVersion": "0.0.1"},
                        }
                    ]
                }
                for key, title in report_outputs.TYPES.items()
            }
        }
    }
    local = {
        "inputs": {"artifacts": {"evaluation": {"artifacts": [{"uri": str(evaluation)}]}}},
        "outputs": {"artifacts": {"report": {"artifacts": [{"uri": str(report)}]}}},
    }

    def fill(made: Predictions | None):
        if made:
            write_metrics(evaluation, metrics(made))
            rows = {
                "image_id": list(made.pictures["image_id"]),
                "path": list(made.pictures["path"]),
                "label": [made.classes[label] for label in made.labels],
                "candidate": pa.array(made.candidate.tolist(), pa.list_(pa.float32())),
                "served": pa.nulls(len(made.labels), pa.list_(pa.float32())),
                "group": list(made.pictures["group"]),
            }
            table = pa.table(rows).replace_schema_metadata({"classes": json.dumps(made.classes)})
            pq.write_table(table, evaluation / "predictions.parquet")
        left = {"artifacts": {"report": {}}, "parameterValues": {"word": "kept"}}
        return evidence.fill(left, local, given, str(tmp_path))

    return fill


def test_the_page_is_a_file_and_the_metrics_are_kept_by_the_store(step, tmp_path):
    left = step(predictions(3))
    filled = left["artifacts"]
    assert filled.keys() == {"report", *report_outputs.TYPES} and filled["report"] == {}
    assert left["parameterValues"] == {"word": "kept"}
    json_format.ParseDict({"artifacts": {k: filled[k] for k in report_outputs.TYPES}},
                          pipeline_spec_pb2.ExecutorOutput())  # fmt: skip
    page = tmp_path / "minio" / "b" / "Report" / "1" / "page"
    assert page.read_text() == "<!doctype html>the page"
    stored = {
        key: backend_rules.record(key, filled[key]["artifacts"][0], 7)["metadata"]
        for key in report_outputs.TYPES
    }
    assert stored["metrics"]["accuracy"] == pytest.approx(4 / 6)
    assert stored["class_metrics"]["recall, class 002"] == 0.0
    assert stored["class_metrics"]["precision, class 001"] == 0.5
    shown = stored["classification"]
    matrix = shown["confusionMatrix"]["struct"]
    assert [one["displayName"] for one in matrix["annotationSpecs"]] == [
        "class 000",
        "class 001",
        "class 002",
    ]
    assert [row["row"] for row in matrix["rows"]] == [[2, 0, 0], [0, 2, 0], [0, 2, 0]]
    curve = shown["confidenceMetrics"]["list"]
    assert curve[0]["confidenceThreshold"] == 1.0 and curve[0]["recall"] == 0.0
    assert curve[1]["recall"] == pytest.approx(4 / 6), "four of six pictures are told right"
    assert curve[1]["falsePositiveRate"] == pytest.approx(2 / 12)
    assert curve[-1]["falsePositiveRate"] == curve[-1]["recall"] == 1.0


def test_of_many_classes_those_that_are_mistaken_are_shown():
    made = evidence.confusion(metrics(predictions(1000)))["confusionMatrix"]
    names = [one["displayName"] for one in made["annotationSpecs"]]
    rows = np.array([row["row"] for row in made["rows"]])
    assert rows.shape == (60, 60) and rows.sum() == 2000
    shown = [f"class {number:03}" for number in (*range(57), 998, 999)]
    assert names == [*shown, "all others"], "and of those that are mistaken alike the first"
    assert rows[names.index("class 999"), names.index("class 998")] == 2
    assert len(json.dumps(made)) < 100_000
    made = evidence.confusion(metrics(predictions(60)))["confusionMatrix"]
    assert made["annotationSpecs"][-1] == {"displayName": "class 059"}, "all of sixty"


def test_names_cannot_steer_a_page():
    made = dataclasses.replace(predictions(2), classes=["a", "\x1b[31m\u202e"])
    names = evidence.confusion(metrics(made))["confusionMatrix"]["annotationSpecs"]
    assert names[1] == {"displayName": "\\x1b[31m\\u202e"}


@pytest.mark.parametrize(
    "made",
    [
        predictions(2, np.full((4, 2), np.nan)),
        predictions(2, np.array([[0.5, 0.5], [1, 0], [0, 1], [np.nan, np.nan]])),
        Predictions(
            ["a", "b"],
            pd.DataFrame({"image_id": [], "path": [], "group": []}),
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
            np.zeros((0, 2), np.float32),
            None,
        ),
    ],
)
def test_what_is_no_number_is_left_out(step, made):
    filled = step(made)["artifacts"]
    assert "loss" not in filled["metrics"]["artifacts"][0]["metadata"]
    assert "confidenceMetrics" not in filled["classification"]["artifacts"][0]["metadata"]
    json.dumps(filled, allow_nan=False)


def test_an_evaluation_that_cannot_be_read_leaves_the_page(step, caplog):
    filled = step(None)["artifacts"]
    assert filled["metrics"]["artifacts"][0]["metadata"] == {}
    assert "No metrics" in caplog.text


def test_other_steps_are_left_alone():
    output = {"artifacts": {"model": {}}}
    assert evidence.fill(output, {}, {"outputs": {"artifacts": {"model": {}}}}, "") == output


def test_what_is_served_is_told_beside_the_model():
    made = predictions(3)
    both = dataclasses.replace(made, served=np.eye(3, dtype=np.float32)[made.labels])
    told = evidence.overall(metrics(both))
    assert told["accuracy"] == pytest.approx(4 / 6) and told["served accuracy"] == 1.0
    assert not [name for name in evidence.overall(metrics(made)) if name.startswith("served")]


def test_of_many_classes_those_of_the_lowest_recall_are_told():
    made = predictions(70)
    made = dataclasses.replace(made, classes=[f"class {69 - number:02}" for number in range(70)])
    told = evidence.per_class(metrics(made))
    names = {name.partition(", ")[2] for name in told}
    assert len(names) == 60 and len(told) <= 120
    assert told["recall, class 00"] == 0.0, "the last one, which is never the answer"


def test_classes_without_pictures_take_no_places_of_those_with_some():
    made = predictions(70)
    few = made.labels >= 65
    arrays = {name: getattr(made, name)[few] for name in ("labels", "groups", "candidate")}
    told = evidence.per_class(
        metrics(dataclasses.replace(made, pictures=made.pictures[few], **arrays))
    )
    recalls = {name: value for name, value in told.items() if name.startswith("recall")}
    assert recalls == {f"recall, class {number:03}": float(number < 69) for number in range(65, 70)}


def test_names_are_such_as_the_store_tells_apart_and_takes():
    """Its key is a VARCHAR(255), and MySQL takes a capital for the small letter."""
    made = dataclasses.replace(predictions(3), classes=["Dog", "dog", "d" * 250])
    told = evidence.per_class(metrics(made))
    assert {"recall, Dog", "precision, Dog"} < told.keys() and len(told) == 4
    assert "recall, dog" not in told, "of names that are alike the first is told"
    assert len({name.casefold() for name in told}) == len(told)
    assert max(map(len, told)) < 255


def test_a_curve_has_a_hundred_points_at_most():
    random = np.random.default_rng(0)
    labels = np.arange(1000) % 2
    scores = random.dirichlet((1, 1), 1000).astype(np.float32)
    pictures = pd.DataFrame({"image_id": labels.astype(str), "path": "a", "group": "g"})
    made = Predictions(["a", "b"], pictures, labels, labels, scores, None)
    points = evidence.confidence(made)["confidenceMetrics"]
    assert 90 <= len(points) <= 100
    for key, falling in (("confidenceThreshold", -1), ("recall", 1), ("falsePositiveRate", 1)):
        values = [falling * point[key] for point in points]
        assert values == sorted(values), key
    assert points[-1]["recall"] == points[-1]["falsePositiveRate"] == 1.0


def test_the_store_takes_no_number_without_end():
    overall = {"accuracy": 1, "loss": float("inf"), "least": -float("inf"), "f1": float("nan")}
    made = SimpleNamespace(overall=overall, served={"loss": 0.5, "accuracy": float("nan")})
    told = evidence.overall(made)
    assert told == {"accuracy": 1.0, "served loss": 0.5}
    assert {type(value) for value in told.values()} == {float}
