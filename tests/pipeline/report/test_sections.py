"""What single sections tell."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import UserError
from components.gates import Gate, write_gates
from components.predictions import Predictions
from pipeline.config import load_recipe
from pipeline.report.confusion import clusters
from pipeline.report.run_files import RunFiles
from pipeline.report.sections import (
    abstention,
    comparison,
    data,
    slices,
    test_split,
    time,
    training,
)
from pipeline.run_history import NodeRecord

pytestmark = pytest.mark.usefixtures("quick_charts")


def test_fewer_answers_are_fewer_mistakes(run):
    run.evaluation(scores=[[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]])
    told = abstention.facts(run.files())
    last = told["coverage"][-1]
    assert last["coverage"] == 1.0 and last["risk"] == pytest.approx(1 / 3)
    assert told["coverage"][0] == {
        "probability": pytest.approx(0.8),
        "coverage": pytest.approx(2 / 3),
        "risk": 0.0,
    }
    assert sum(point["pictures"] for point in told["points"]) == 3
    assert "Share of mistakes" in str(
        abstention.chart(told["curve"], told["points"], told["before"])
    )


def test_what_the_model_says_of_how_sure_it_is_is_told(run):
    run.evaluation(scores=[[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]])
    assert abstention.facts(run.files())["says"] == {}
    file = run.artifacts["Evaluator", "evaluation"] / "predictions.parquet"
    table = pq.read_table(file).append_column("unsure", pa.array([False, False, True]))
    sets = pa.array([[True, False], [False, True], [True, True]])
    pq.write_table(table.append_column("in_label_set", sets), file)
    assert abstention.facts(run.files())["says"] == {
        "share_sure": pytest.approx(2 / 3),
        "accuracy_when_sure": 1.0,
        "label_set_coverage": pytest.approx(2 / 3),
        "label_set_size": pytest.approx(4 / 3),
    }
    page = " ".join(run.page().split())
    assert "of which this model itself says" in page and "classes on average" in page


def test_what_has_the_same_probability_is_answered_together(run):
    """However many of them come before a mistake in the file."""
    run.evaluation(scores=[[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]])
    told = abstention.facts(run.files())
    assert [one["coverage"] for one in told["coverage"]] == [1.0]
    assert [one["risk"] for one in told["curve"]] == [pytest.approx(1 / 3)]


def test_a_curve_of_many_pictures_ends_where_all_are_answered(run):
    sure = np.linspace(0.6, 0.9, 1000)
    run.evaluation(scores=np.stack([sure, 1 - sure], 1).tolist(), places=[0] * 1000)
    curve = abstention.facts(run.files())["curve"]
    assert len(curve) == 200 and curve[0]["coverage"] == 0.001
    assert curve[-1] == {"probability": pytest.approx(0.6), "coverage": 1.0, "risk": 0.0}


def test_what_is_no_number_has_no_curve(run):
    run.evaluation(scores=[[run.NAN, run.NAN]] * 3)
    assert abstention.facts(run.files())["coverage"] == []
    assert "no pictures with probabilities that are numbers" in " ".join(run.page().split())


def test_calibration_is_shown_before_the_temperature_too(run):
    run.training(temperature=2.0)
    run.evaluation(scores=[[0.7, 0.3], [0.7, 0.3], [0.0, 1.0]])
    before = abstention.facts(run.files())["before"]
    assert before["temperature"] == 2.0
    # Logits of twice the size: 0.7² of 0.7² + 0.3².
    assert before["points"][0]["sure"] == pytest.approx(0.49 / 0.58)
    assert run.page().count("Share of right answers against") == 2
    assert "before its temperature 2" in " ".join(run.page().split()).replace("</p>", "")


def test_classes_that_are_mixed_up_are_a_cluster():
    confusion = np.diag(np.full(30, 10))
    confusion[[3, 17], [17, 3]] = 4
    confusion[5, 9] = 6
    order, groups = clusters(confusion)
    assert sorted(order) == list(range(30)) and groups == [[3, 17], [5, 9]]
    assert abs(list(order).index(3) - list(order).index(17)) == 1
    confusion[5, 9] = 9
    assert clusters(confusion)[1] == [[5, 9], [3, 17]], "that with the most mistakes first"


def test_a_twentieth_that_is_taken_for_another_class_is_enough_for_a_cluster():
    confusion = np.diag(np.full(30, 93))
    confusion[5, 9] = 7
    confusion[2, 8] = 4
    assert clusters(confusion)[1] == [[5, 9]]


def test_two_classes_can_be_a_cluster():
    assert clusters(np.array([[9, 1], [0, 10]]))[1] == [[0, 1]]


def test_one_class_and_none_of_whose_pictures_are_there_are_no_cluster():
    assert clusters(np.array([[5]]))[1] == []
    assert clusters(np.zeros((25, 25), int))[1] == []


def test_a_matrix_of_120_classes_is_a_picture_in_the_order_of_its_clusters(run):
    names = [f"class {number:03}" for number in range(120)]
    answer = [[0.0] * 119 + [1.0]] * 3
    run.evaluation(names, answer)
    told = test_split.facts(run.files())
    assert told["confusion"] is None and len(told["matrix"]) == len(told["order"]) == 120
    assert told["clusters"] == [{"classes": ["class 000", "class 001", "class 119"], "mistakes": 3}]
    assert [one["name"] for one in told["lowest"]] == ["class 000", "class 001"], "the tested ones"


@pytest.mark.parametrize("section", [abstention, comparison, test_split])
def test_of_a_test_split_without_pictures_the_figures_are_none(section):
    nothing = np.empty((0, 2))
    none = np.empty(0, int)
    predictions = Predictions(["a", "b"], pd.DataFrame(), none, none, nothing, nothing)
    told = section.facts(SimpleNamespace(predictions=predictions, changes=[]))
    figures = {
        abstention: {"coverage": [], "curve": [], "points": [], "error": None, "before": None},
        comparison: {"accuracy": {"candidate": None, "served": None}, "left_out": 0},
        test_split: {"pictures": 0, "accuracy": {"value": None, "low": 0.0, "high": 1.0}},
    }
    assert told.items() >= figures[section].items()


def test_however_many_got_worse_some_that_got_better_are_shown():
    kinds = ["worse"] * 30 + ["better"] * 2
    names = ("image_id", "path", "label", "candidate", "served")
    changes = [{"change": kind, **dict.fromkeys(names, "x")} for kind in kinds]
    scores = np.eye(2)[[int(kind == "worse") for kind in kinds]]
    labels = np.zeros(32, int)
    predictions = Predictions(["a", "b"], pd.DataFrame(), labels, labels, scores, scores[:, ::-1])
    files = SimpleNamespace(changes=changes, predictions=predictions, thumbnails={}, heat_maps={})
    told = comparison.facts(files)
    assert (told["worse"], told["better"], len(told["got_better"])) == (30, 2, 2)
    assert 0 < len(told["got_worse"]) < 30


def test_slices_are_those_of_the_recipe_and_those_found(run):
    run.evaluation()
    files = run.files()
    recipe = load_recipe(str(run.config), ["evaluation.slices=[format]"])
    told = slices.facts(RunFiles(files.run, recipe, str(run.config)))
    assert [one["name"] for one in told["configured"]] == ["format=JPEG", "format=PNG"]
    assert [one["accuracy"] for one in told["configured"]] == [1.0, 0.0]
    assert slices.facts(files) == {"configured": [], "found": []}


def test_a_slice_of_a_manifests_column_is_not_taken_for_what_every_picture_has(run):
    run.evaluation()
    file = run.artifacts["Evaluator", "evaluation"] / "predictions.parquet"
    sites = pa.array(["here", "there", "here"])
    pq.write_table(pq.read_table(file).append_column("column_path", sites), file)
    recipe = load_recipe(str(run.config), ["evaluation.slices=[path]"])
    told = slices.facts(RunFiles(run.files().run, recipe, str(run.config)))
    assert [one["name"] for one in told["configured"]] == ["path=here", "path=there"]


def test_slices_are_looked_for_among_what_is_wrong(run, monkeypatch):
    run.evaluation()
    asked = []
    monkeypatch.setattr(slices, "find_slices", lambda _, wrong, *__: asked.append(wrong) or [])
    slices.facts(run.files())
    predictions = run.files().predictions
    (wrong,) = asked
    assert wrong.tolist() == (predictions.candidate.argmax(1) != predictions.labels).tolist()
    assert 0 < wrong.sum() < len(wrong) / 2


def test_of_many_files_set_aside_the_first_are_listed_and_all_are_counted(run):
    run.data()
    file = run.artifacts["ImageExampleGen", "examples"] / "quarantine.jsonl"
    file.write_text('{"path": "a.jpg", "reason": "empty"}\n' * 101)
    told = data.facts(run.files())
    assert (told["set_aside"], len(told["quarantine"])) == (101, 100)


def test_augmented_views_are_shown_where_there_are_any(run):
    run.training()
    files = run.files()
    assert training.facts(files)["views"].startswith("data:image/jpeg;base64,")
    (run.artifacts["Trainer", "model_run"] / "views.jpg").unlink()
    assert training.facts(run.files())["views"] == ""


def test_the_best_epoch_is_the_one_that_is_marked(run, monkeypatch):
    run.training()
    marked = []
    monkeypatch.setattr(training.charts, "curves", lambda history, epoch: marked.append(epoch))
    for phase in training.facts(run.files())["phases"]:
        training.chart(phase)
    assert marked == [phase.best_epoch for phase in run.files().training.phases]


def test_time_is_that_of_nodes_and_of_phases_within(run):
    run.data()
    run.training()
    told = time.facts(run.files())
    assert told["total"] == 3.0 and [one["share"] for one in told["nodes"]] == [0.5, 0.5]
    assert told["nodes"][1]["phases"] == [{"name": "frozen", "seconds": 3.0}]
    for seconds, phases in ((3.5, [3.0, 0.5]), (3.0, [3.0])):
        run.nodes[1] = NodeRecord("Trainer", "run", seconds)
        told = time.facts(run.files())["nodes"][1]["phases"]
        assert [one["seconds"] for one in told] == phases


def test_data_tell_what_the_gate_found_and_what_is_far(run):
    run.data()
    run.facts_of_pictures()
    drift = Gate("drift of facts", "warn", 0.2, 0.1, "width differs")
    write_gates(run.artifact("DataGate", "data_blessing"), [drift])
    told = data.facts(run.files())
    assert told["findings"][0]["message"] == "width differs"
    (width,) = [one for one in told["outliers"] if one["fact"] == "width"]
    assert (width["count"], width["farthest"], width["highest"]) == (1, "7", 9000.0)
    assert "drift of facts" in run.page()


def test_pictures_are_shown_with_what_speaks_for_the_answer(run):
    run.data()
    run.evaluation()
    assert "This model tells nothing of where it looked" in " ".join(run.page().split())
    run.keep_thumbnails("cat/0.jpg", "cat/1.jpg", "dog/0.jpg", heat=True)
    text = run.page()
    assert 'alt="dog/0.jpg: what speaks for cat"' in text and "Grad-CAM" in text
    right = text.partition("Right ones")[2]
    assert "cat/0.jpg" in right and "what speaks" not in right


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"pseudo_labels": null, "kept": "frozen", "phases": 3}',
        '{"pseudo_labels": null, "kept": "frozen", "phases": [3]}',
        '{"pseudo_labels": null, "kept": "frozen", "phases": [{"name": "frozen"}]}',
        '{"pseudo_labels": [3], "kept": "frozen", "phases": []}',
    ],
)
def test_a_damaged_report_of_the_training_is_named(run, content):
    run.training()
    file = run.artifacts["Trainer", "model_run"] / "training.json"
    file.write_text(content)
    with pytest.raises(UserError, match=rf"^{file} is damaged: "):
        _ = run.files().training


@pytest.mark.parametrize("content", ["{", "[3]", "3", "[{}]"])
def test_damaged_rows_of_gates_are_told_as_such(run, content):
    run.gates(run.PASS)
    (run.artifacts["Evaluator", "blessing"] / "gates.json").write_text(content)
    with pytest.raises(UserError, match=r"^the gates' rows are damaged: "):
        _ = run.files().gates
