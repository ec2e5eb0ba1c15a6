"""What the templates of the sections show of facts that are made up."""

import pytest

from components.gates import WORDS, Gate
from pipeline.report.sections import (
    abstention,
    data,
    pictures,
    slices,
    test_split,
    time,
    training,
    verdict,
)

pytestmark = pytest.mark.one_line


def test_a_verdict_is_a_word_and_its_colour(shown):
    rows = [
        Gate("latency", "fail", 9.0, 1.0, "9 ms", (8.0, 10.0)),
        Gate("load", "pass", None, None, ""),
    ]
    told = {
        "tone": "fail",
        "sentence": "Not served.",
        "failures": [{"node": "Trainer", "reason": "no memory"}],
        "served_now": "",
        "served_before": "",
        "roll_back": "",
        "gates": [gate.as_row() for gate in rows],
        "words": WORDS,
    }
    text = shown(verdict, told)
    assert '<p class="verdict fail">Not served.</p> <p><b>Trainer</b>: no memory</p>' in text
    assert "<dt>Served now</dt><dd>nothing</dd> <dt>Served before</dt><dd>nothing</dd>" in text
    assert '<span class="mark fail">no</span></td> <td>latency</td><td class="n">9</td>' in text
    assert '<td class="n">8 … 10 </td><td class="n">1</td><td>9 ms</td>' in text
    assert '<span class="mark pass">yes</span></td> <td>load</td><td class="n">–</td>' in text
    assert "No gate was asked" in shown(verdict, told | {"gates": []})


def test_a_phase_is_a_sentence(shown):
    phase = {
        "name": "frozen", "kept": False, "trainable": 10, "total": 2000, "epochs": 2,
        "seconds": 150.0, "best_epoch": 1, "val_accuracy": 0.25, "val_loss": 0.5,
    }  # fmt: skip
    text = shown(training, {"phases": [phase], "views": None})
    assert "10 of 2,000 parameters learned for 2 epochs in 2.5 min. The best epoch, 1," in text
    assert "has validation accuracy 0.25 and loss 0.5." in text and "Augmentation" not in text


def test_each_node_and_phase_has_its_own_time(shown):
    phases = [{"name": "frozen", "seconds": 3.0}]
    node = {"node": "Trainer", "state": "cached", "seconds": 12.0, "share": 0.5, "phases": phases}
    text = shown(time, {"total": 24.0, "nodes": [node]})
    assert "<p>24.0 s in all nodes.</p>" in text
    assert '<td>Trainer</td><td>cached</td> <td class="n">12.0 s</td>' in text
    assert '<td>&nbsp; frozen</td><td></td> <td class="n">3.0 s</td>' in text


@pytest.fixture
def of_data():
    """Facts of two classes, of which nothing further is known."""
    rows = [{"name": name, "pictures": {"train": count}} for name, count in (("a", 1), ("b", 2))]
    none = dict.fromkeys(("copies", "identical", "contradicting", "leaking"), 0)
    return {
        "source": "pets", "total": 3, **none, "splits": ["train"], "classes": rows,
        "all_classes": {"name": "all classes", "pictures": {"train": 3}}, "fewest": [],
        "findings": [], "words": WORDS, "outliers": [], "set_aside": 0, "quarantine": [],
    }  # fmt: skip


def test_what_is_not_known_of_data_is_said_or_left_out(shown, of_data):
    text = shown(data, of_data)
    assert "<p>3 pictures of pets. None is a copy of another.</p>" in text
    assert "<p>It was not asked.</p>" in text and "<p>No file was set aside.</p>" in text
    assert "Facts and outliers" not in text and "smallest" not in text
    rows = '<td>a</td> <td class="n">1</td></tr> <tr><td>b</td> <td class="n">2</td></tr>'
    assert f'{rows} <tr><td>all classes</td> <td class="n">3</td></tr>' in text


def test_above_the_smallest_classes_stands_the_sum_of_all(shown, of_data):
    text = shown(data, of_data | {"fewest": of_data["classes"][:1]})
    assert "<p>All 2 classes, and the 1 smallest:</p>" in text
    of_all, of_one = '<tr><td>all classes</td> <td class="n">3</td></tr>', "<tr><td>a</td>"
    assert f"{of_all} {of_one}" in text and text.count(of_all) == 1 and text.count(of_one) == 2


@pytest.mark.parametrize(("count", "says"), [(1, ": 1. </p>"), (101, ": 101, the first 1 of them")])
def test_of_the_files_set_aside_it_is_told_whether_there_are_more(shown, of_data, count, says):
    one = {"path": "a.jpg", "reason": "damaged"}
    text = shown(data, of_data | {"set_aside": count, "quarantine": [one]})
    assert f"Files that could not be used{says}" in text
    assert '<td class="path">a.jpg</td><td>damaged</td>' in text


def test_findings_and_outliers_are_rows(shown, of_data):
    finding = {"verdict": "warn", "name": "sharpness drift", "message": "further than usual"}
    outlier = {"fact": "width", "lowest": 1.0, "median": 2.0, "highest": 3.0, "count": 4,
               "farthest": "x.jpg"}  # fmt: skip
    text = shown(data, of_data | {"findings": [finding], "outliers": [outlier]})
    mark = f'<span class="mark warn">{WORDS["warn"]} </span>'
    assert f"{mark}</td><td>sharpness drift</td><td>further than usual</td>" in text
    cells = " ".join(text.partition("<td>width</td>")[2].split("</tr>")[0].split())
    assert cells == (
        '<td class="n">1</td> <td class="n">2</td><td class="n">3</td> '
        '<td class="n">4</td><td class="path">x.jpg</td>'
    )


@pytest.mark.parametrize("explained", [True, False])
def test_every_kind_of_picture_that_there_is_none_of_says_so(shown, explained):
    told = {kind: [] for kind in ("worst", "least_sure", "suspects", "right")}
    text = shown(pictures, told | {"explained": explained, "find_more": "graft data labels"})
    assert ("what speaks for the answer glows" in text) == explained
    assert ("has no signature <code>explain</code>" in text) != explained
    for sentence in (
        "No picture of the test split is wrong.",
        "The test split is empty.",
        "No label of the test split looks wrong.",
    ):
        assert f"<p>{sentence}</p>" in text
    assert "Right ones" not in text and "graft data labels" not in text


def test_a_picture_says_what_it_shows_to_those_who_do_not_see_it(shown):
    one = {"path": "1.jpg", "image": "data:1", "heat": "data:2", "label": "cat", "answer": "dog",
           "note": "probability 0.900"}  # fmt: skip
    right = one | {"path": "2.jpg", "answer": "cat", "heat": None}
    told = {"worst": [one], "least_sure": [], "suspects": [], "right": [right], "explained": True}
    text = shown(pictures, told | {"find_more": ""})
    assert '<img src="data:1" alt="1.jpg: a picture of cat, taken for dog"' in text
    assert '<img src="data:2" alt="1.jpg: what speaks for dog"' in text
    assert 'alt="2.jpg: a picture of cat" ' in text


def test_what_a_model_says_of_its_sureness_is_in_its_places(shown):
    says = {"share_sure": 0.5, "accuracy_when_sure": 0.75, "label_set_coverage": 0.875,
            "label_set_size": 1.25}  # fmt: skip
    told = {"coverage": [{"probability": 0.9996, "coverage": 1.0, "risk": 0.25}], "curve": [],
            "points": [], "error": 0.1, "before": {"temperature": 2.0, "error": 0.2}}  # fmt: skip
    text = shown(abstention, told | {"says": says})
    assert "sure is 0.5; its accuracy on these is 0.75." in text
    assert '<td class="n">0.999600</td>' in text, "nothing is at least 1.000"
    assert "1.25 classes on average; the share that holds the right one is 0.875." in text
    assert "Expected calibration error 0.1; before its temperature 2 was set, it was 0.2." in text
    text = shown(abstention, told | {"says": {}, "before": None})
    assert "itself says" not in text and "label sets" not in text and "temperature" not in text
    assert "no pictures with probabilities" in shown(abstention, {"coverage": []})


def test_without_slices_it_is_said_of_both_kinds(shown):
    text = shown(slices, {"configured": [], "found": []})
    assert "<p>The recipe names none (<code>evaluation.slices</code>).</p>" in text
    assert "<p>None on which the model is worse than on the rest.</p>" in text


def test_classes_are_rows_and_groups_are_counted(shown):
    row = {"name": "cat", "pictures": 4, "recall": 0.75, "low": 0.25, "high": 0.99}
    told = {
        "right": 3, "pictures": 4, "accuracy": {"value": 0.75, "low": 0.2, "high": 0.9},
        "classes": [row | {"precision": None}] * 2, "lowest": [row | {"precision": 0.5}],
        "confusion": None, "order": ["cat", "dog"], "matrix": [],
        "clusters": [{"classes": ["cat", "dog"], "mistakes": 7}],
        "mistaken": [{"pictures": 7, "label": "cat", "answer": "dog"}],
    }  # fmt: skip
    text = shown(test_split, told)
    assert "3 of 4 pictures are right: accuracy 0.75 (95 % interval 0.2 … 0.9)." in text
    cells = '<td class="n">0.75</td> <td class="n">0.25 … 0.99</td> <td class="n">'
    assert f"{cells}0.5</td>" in text and text.count(f"{cells}never predicted</td>") == 2
    assert "The 1 of the lowest recall:" in text and "<summary>All 2 classes</summary>" in text
    assert "<li>cat, dog (7&nbsp;×)</li>" in text and "<p>0:&nbsp;cat, 1:&nbsp;dog </p>" in text
    assert "<li>7 × <b>cat</b> taken for <b>dog</b></li>" in text
    assert "The test split is empty." in shown(test_split, told | {"pictures": 0})
    told |= {"confusion": [[3, 1], [0, 0]], "order": []}
    assert '<table class="confusion">' in shown(test_split, told)
    told["classes"] = [row | {"name": "American bobtail", "precision": None}] * 2
    assert '<table class="confusion upright">' in shown(test_split, told), "it would be too wide"
