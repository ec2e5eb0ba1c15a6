"""What the executor makes of the answers, without the models that gave them."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from components.classes import write_classes
from components.evaluator import executor, results
from components.evaluator.config import EvaluationSettings
from components.gates import read_gates
from components.predictions import ANSWERS, read_predictions


@pytest.fixture
def judge(tmp_path, examples, monkeypatch):
    """`judge(answers)` runs the executor on the files of answers that workers left."""
    blessing, evaluation = (
        standard_artifacts.ModelBlessing(),
        standard_artifacts.ModelEvaluation(),
    )
    model, baseline, pictures = (
        standard_artifacts.Model(),
        standard_artifacts.Model(),
        standard_artifacts.Examples(),
    )
    for name, one in {"blessing": blessing, "evaluation": evaluation, "model": model}.items():
        (tmp_path / name).mkdir()
        one.uri = str(tmp_path / name)
    (tmp_path / "model" / "Format-Serving").mkdir()
    write_classes(tmp_path / "model" / "Format-Serving", ["blue", "green", "red"])
    pictures.uri, pictures.split_names = str(examples), '["test"]'

    def run(files: list[list[dict]]):
        def measure(*given):
            for number, rows in enumerate(files):
                table = pa.Table.from_pylist(rows, ANSWERS)
                pq.write_table(table, f"{given[-1]}/answers-{number}")
            return SimpleNamespace(signatures={})

        monkeypatch.setattr(executor.Executor, "_measure", measure)
        executor.Executor(BaseBeamExecutor.Context()).Do(
            {"examples": [pictures], "model": [model], "baseline_model": [baseline]},
            {"blessing": [blessing], "evaluation": [evaluation]},
            {
                "settings": EvaluationSettings().model_dump_json(),
                "example_splits": '["test"]',
                "code_digest": "",
            },
        )
        return blessing, evaluation

    return run


def answers(numbers) -> list[dict]:
    """Right ones, of so many of the examples' pictures."""
    colours = ("blue", "green", "red")
    return [
        {
            "image_id": f"{number:064x}",
            "path": f"{colours[number % 3]}/{number}.png",
            "label": colours[number % 3],
            "candidate": np.eye(3)[number % 3].tolist(),
        }
        for number in numbers
    ]


def test_the_answers_of_all_workers_are_judged_together(judge):
    blessing, evaluation = judge([answers(range(20, 42)), [], answers(range(20))])
    rows = read_predictions(evaluation.uri)
    assert len(rows.labels) == 42 and rows.right.all()
    assert rows.pictures["path"].tolist() == sorted(rows.pictures["path"])
    assert results.read_metrics(evaluation.uri).overall["example_count"] == 42
    assert blessing.get_int_custom_property("blessed") == 1


def test_a_retry_in_the_folders_of_an_earlier_attempt_is_what_counts(judge):
    judge([answers(range(3))])
    blessing, evaluation = judge([answers(range(42))])
    assert results.read_metrics(evaluation.uri).overall["example_count"] == 42
    assert {gate.pictures for gate in read_gates(blessing.uri) if gate.pictures} == {42}
