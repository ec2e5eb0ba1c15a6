"""How the model does, how it came to be and what was decided: figures, and how they look."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from components.gates import Gate
from components.predictions import Predictions
from pipeline.report import page
from pipeline.report.sections import (
    abstention,
    comparison,
    pictures,
    slices,
    test_split,
    time,
    training,
    verdict,
)
from pipeline.run_history import NodeRecord

pytestmark = pytest.mark.usefixtures("quick_charts")

# Model on the test split


def one_hot(classes: int, *answers: int) -> list[list[float]]:
    return np.eye(classes)[list(answers)].tolist()


def test_classes_are_told_by_name_with_recall_precision_and_interval(run, shown):
    run.evaluation(("dog", "cat", "ant"), one_hot(3, 0, 1, 1))
    told = test_split.facts(run.files())
    assert [one["name"] for one in told["classes"]] == ["ant", "cat", "dog"]
    assert [(one["pictures"], one["recall"], one["precision"]) for one in told["classes"]] == [
        (0, None, None), (1, 1.0, 0.5), (2, 0.5, 1.0)
    ]  # fmt: skip
    assert told["confusion"] == [[0, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert told["mistaken"] == [{"label": "dog", "answer": "cat", "pictures": 1}]
    dog, accuracy = told["classes"][2], told["accuracy"]
    assert (dog["low"], dog["high"]) == (
        pytest.approx(0.0126, abs=1e-4),
        pytest.approx(0.9874, abs=1e-4),
    )
    assert (accuracy["value"], accuracy["low"]) == (
        pytest.approx(2 / 3),
        pytest.approx(0.0943, abs=1e-4),
    )
    text = shown(test_split, told)
    row = '<th scope="row">dog</th> <td class="n">·</td><td class="n wrong">1</td>'
    assert f'{row}<td class="n right">1</td>' in text


def test_copies_of_a_picture_make_no_interval_narrower(run):
    run.evaluation(scores=one_hot(2, *[0] * 9), places=[0] * 9, groups=[1] * 9)
    told = test_split.facts(run.files())
    assert (told["accuracy"]["low"], told["classes"][0]["low"]) == pytest.approx((0.025, 0.025))
    assert told["classes"][0]["pictures"] == 9


def test_what_is_mistaken_most_often_stands_in_front(run):
    run.evaluation(("a", "b", "c"), one_hot(3, 1, 2, 2, 0, 0, 0), places=(0, 0, 0, 1, 1, 1))
    told = test_split.facts(run.files())["mistaken"]
    assert [(one["label"], one["answer"], one["pictures"]) for one in told] == [
        ("b", "a", 3), ("a", "c", 2), ("a", "b", 1)
    ]  # fmt: skip


@pytest.mark.parametrize("count", [20, 21])
def test_a_matrix_is_a_table_as_long_as_it_can_be_read(run, count):
    names = [f"class {number:02}" for number in range(count)]
    places, answers = (0, 1, 1, 2, 2, 2), (1, 1, 0, 2, 0, 0)
    run.evaluation(names, one_hot(count, *answers), places=places)
    told = test_split.facts(run.files())
    if count == 20:
        assert len(told["confusion"]) == 20 and told["lowest"] == told["order"] == []
        return
    assert told["confusion"] is None and sorted(told["order"]) == names
    assert [one["name"] for one in told["lowest"]] == ["class 00", "class 02", "class 01"]
    shares = dict(zip(told["order"], map(sum, told["matrix"]), strict=True))
    assert [shares[name] for name in names] == pytest.approx([1.0] * 3 + [0.0] * 18)


def test_of_two_classes_as_bad_the_larger_one_stands_in_front(run):
    names = [f"class {number:02}" for number in range(21)]
    run.evaluation(names, one_hot(21, 2, 2, 2), places=(0, 1, 1))
    lowest = test_split.facts(run.files())["lowest"]
    assert [one["name"] for one in lowest] == ["class 01", "class 00"]


def test_of_very_many_classes_those_that_are_mixed_up_are_drawn(run):
    run.evaluation([f"class {number:03}" for number in range(301)], one_hot(301, 1, 0, 5),
                   places=(0, 1, 2))  # fmt: skip
    told = test_split.facts(run.files())
    assert sorted(told["order"]) == ["class 000", "class 001", "class 002", "class 005"]
    assert np.shape(told["matrix"]) == (4, 4)


def test_as_many_classes_as_a_picture_holds_are_all_drawn(run):
    run.evaluation([f"class {n:03}" for n in range(300)], one_hot(300, 1), places=[0])
    assert np.shape(test_split.facts(run.files())["matrix"]) == (300, 300)


def test_of_what_there_is_too_much_of_the_first_is_told():
    places = np.arange(302)
    neighbours = np.eye(302)[places ^ 1]  # each is taken for its neighbour
    names = [f"class {number:03}" for number in places]
    predictions = Predictions(names, pd.DataFrame(), places, places, neighbours, None)
    told = test_split.facts(SimpleNamespace(predictions=predictions))
    lists = ("classes", "lowest", "mistaken", "clusters", "order")
    assert [len(told[key]) for key in lists] == [302, 20, 10, 12, 300]
    assert np.shape(told["matrix"]) == (300, 300)


def test_a_share_is_of_all_pictures_of_a_class_also_of_those_with_an_answer_that_is_not_drawn(run):
    answers = [0] * 20 + [1] * 20 + [7, 8]  # these two are too few for the group
    run.evaluation([f"class {number:03}" for number in range(301)], one_hot(301, *answers),
                   places=[0] * 42)  # fmt: skip
    told = test_split.facts(run.files())
    first = told["order"].index("class 000")
    assert sorted(told["order"]) == ["class 000", "class 001"]
    assert told["matrix"][first] == pytest.approx([20 / 42, 20 / 42])


# Time and training


def test_phases_are_those_of_the_trainer_and_a_run_of_no_time_has_no_shares(run, shown):
    run.data()
    run.training()
    told = time.facts(run.files())
    assert told["nodes"][0]["phases"] == [] and 'style="width: 4.0rem"' in shown(time, told)
    run.nodes[:] = [NodeRecord("ImageExampleGen", "cached", 0.0)]
    assert time.facts(run.files())["nodes"][0]["share"] == 0.0


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_phase_is_told_in_figures(run, epochs, shown):
    run.training()
    file = run.artifacts["Trainer", "model_run"] / "training.json"
    report = json.loads(file.read_text())
    history = {"loss": [1.0, 2.0], "val_loss": [0.9, 0.8], "val_accuracy": [0.1, 0.2]}
    report["phases"][0] |= {
        "history": {key: values[:epochs] for key, values in history.items()},
        "best_epoch": 0,
    }
    file.write_text(json.dumps(report))
    told = training.facts(run.files())
    (phase,) = told["phases"]
    del phase["history"]
    assert phase == {
        "name": "frozen", "kept": True, "trainable": 10, "total": 20, "epochs": epochs,
        "seconds": 3.0, "best_epoch": 1, "val_accuracy": 0.1, "val_loss": 0.9,
    }  # fmt: skip
    text = shown(training, told)
    assert f"for {epochs} epoch{'s' * (epochs > 1)} in 3.0 s." in text
    assert ("CHART" in text) == (epochs > 1) and "frozen (kept)" in text
    file.write_text(json.dumps(report | {"kept": "unfrozen"}))
    assert "(kept)" not in shown(training, training.facts(run.files()))


# Verdict


def told_of(run, *verdicts: str, version: str = ""):
    """The facts of a run whose gates, `0`, `1`, …, said so."""
    gates = [Gate(str(n), one, 1.0 + n, 2.0 + n, "", (0.5, 0.6)) for n, one in enumerate(verdicts)]
    run.node("Trainer", "cached")
    run.gates(*gates)
    return verdict.facts(run.files(version))


@pytest.mark.parametrize(
    ("verdicts", "version", "tone", "sentence"),
    [
        (("fail", "pass", "fail"), "", "fail", "Not served. 2 gates said no: 0, 2."),
        (("pass", "fail"), "", "fail", "Not served. A gate said no: 1."),
        (("pass", "fail"), "7", "fail", "Not served. A gate said no: 1."),
        (
            ("warn", "pass", "warn"),
            "7",
            "pass",
            "Served as version 7: no gate said no; 2 could not be answered or need a look.",
        ),
        (
            ("warn",),
            "7",
            "pass",
            "Served as version 7: no gate said no; 1 could not be answered or needs a look.",
        ),
        (("pass",), "7", "pass", "Served as version 7: no gate said no."),
        (("pass",), "", "warn", "No gate said no, but nothing was pushed."),
    ],
)
def test_one_sentence_says_how_it_ended(run, verdicts, version, tone, sentence):
    told = told_of(run, *verdicts, version=version)
    assert (told["tone"], told["sentence"]) == (tone, sentence)


def test_the_worst_gates_stand_in_front_with_interval_and_bound(run, shown):
    told = told_of(run, "pass", "warn", "fail", "warn")
    assert [gate["name"] for gate in told["gates"]] == ["2", "1", "3", "0"]
    text = shown(verdict, told)
    assert (
        '<td>2</td><td class="n">3</td> <td class="n">0.5 … 0.6 </td><td class="n">4</td>' in text
    )


def test_every_node_that_failed_says_why(run):
    run.node("DataGate", "failed", "no memory")
    run.node("Trainer", "failed", "no disk")
    told = told_of(run)
    assert told["failures"] == [
        {"node": "DataGate", "reason": "no memory"},
        {"node": "Trainer", "reason": "no disk"},
    ]
    assert (told["tone"], told["sentence"]) == (
        "fail",
        "The run did not get to its end: DataGate (failed), Trainer (failed). It pushed nothing.",
    )


def test_the_only_version_has_nothing_to_roll_back_to(run):
    run.serve("7")
    told = told_of(run, "pass", version="7")
    assert (told["served_now"], told["served_before"], told["roll_back"]) == ("version 7", "", "")


def test_a_rollback_that_would_be_refused_is_not_told(run):
    run.serve("7", "8")
    assert verdict.facts(run.files("8"))["roll_back"].startswith("graft versions rollback ")
    (run.folder / "runs/tiny/serving/8/saved_model.pb").write_text("7")  # the same model again
    told = verdict.facts(run.files("8"))
    assert (told["served_before"], told["roll_back"]) == ("version 7", "")


# The page


def test_sections_that_are_left_out_for_one_reason_share_a_line(run):
    run.data()
    text = " ".join(run.page().split())
    titles = (comparison, test_split, slices, abstention, pictures)
    names = ", ".join(section.TITLE for section in titles)
    assert f"<li>{names}: the run did not get to the end of Evaluator.</li>" in text
    told = json.loads(page.as_json(run.files()))
    assert told["training"] == {"left_out": "the run did not get to the end of Trainer"}


@pytest.mark.parametrize(
    ("seconds", "says"), [(99.94, "99.9 s"), (60, "60.0 s"), (100, "1.7 min"), (6000, "100.0 min")]
)
def test_times_are_short(seconds, says):
    assert page._seconds(seconds) == says
