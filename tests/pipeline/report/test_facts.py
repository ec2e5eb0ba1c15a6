"""The figures of single sections, and what their templates show of them."""

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from components import served_versions
from components.example_gen import overview
from components.predictions import Predictions
from pipeline.config import load_recipe
from pipeline.report import charts
from pipeline.report.run_files import RunFiles
from pipeline.report.sections import (
    abstention,
    comparison,
    data,
    lineage,
    pictures,
    slices,
)

# How sure it is


def test_the_surest_answers_come_first(run, shown):
    run.evaluation(scores=[[0.6, 0.4], [0.9, 0.1], [0.8, 0.2]])  # right, right, wrong
    told = abstention.facts(run.files())
    assert told["before"] is None
    assert [(one["risk"], one["coverage"]) for one in told["curve"]] == [
        (0.0, pytest.approx(1 / 3)), (0.5, pytest.approx(2 / 3)), (pytest.approx(1 / 3), 1.0)
    ]  # fmt: skip
    assert [one["probability"] for one in told["curve"]] == pytest.approx([0.9, 0.8, 0.6])
    assert '<td class="n">100 %</td> <td class="n">0.3333</td>' in shown(abstention, told)


def test_a_point_is_of_the_answers_that_are_about_as_sure(run):
    run.evaluation(scores=[[0.6, 0.4], [0.97, 0.03], [0.95, 0.05]])  # right, right, wrong
    unsure, sure = abstention.facts(run.files())["points"]
    assert unsure == {"sure": pytest.approx(0.6), "right": 1.0, "pictures": 1}
    assert sure == {"sure": pytest.approx(0.96), "right": 0.5, "pictures": 2}


def test_the_error_before_the_temperature_is_that_of_the_logits(run):
    run.training(temperature=2.0)
    run.evaluation(scores=[[0.7, 0.3], [0.7, 0.3], [0.0, 1.0]])
    told = abstention.facts(run.files())
    assert told["error"] == pytest.approx(2 / 3 * 0.3, abs=1e-6)
    assert told["before"]["error"] == pytest.approx(2 / 3 * (1 - 0.49 / 0.58), abs=1e-6)


def test_diagrams_get_probabilities_shares_and_counts_in_their_places(monkeypatch):
    drawn = []
    monkeypatch.setattr(charts, "risk_coverage", lambda *given: drawn.append(given) or "")
    monkeypatch.setattr(
        charts,
        "calibration",
        lambda *given, title: drawn.append((title, *(g.tolist() for g in given))) or "",
    )
    point = {"sure": 0.9, "right": 0.8, "pictures": 7}
    before = {"points": [{"sure": 0.99, "right": 0.8, "pictures": 7}]}
    curve = [{"coverage": 0.5, "risk": 0.1, "probability": 0.9}]
    abstention.chart(curve, [point], before)
    assert drawn == [
        ([0.5], [0.1]),
        ("before the temperature", [0.99], [0.8], [7]),
        ("as served", [0.9], [0.8], [7]),
    ]


# Candidate against served


def compared(kinds: list[str], labels, candidate, served):
    """The facts of changes of these kinds, of pictures `0`, `1`, …"""
    changes = [
        {"change": kind, "image_id": str(n), "path": f"{n}.jpg", "label": "l", "candidate": "c",
         "served": "s"} for n, kind in enumerate(kinds)
    ]  # fmt: skip
    labels, scores = np.array(labels), np.eye(2)
    predictions = Predictions(
        ["c", "s"], pd.DataFrame(), labels, labels, scores[candidate], scores[served]
    )
    pictures = {str(n): f"picture {n}" for n in range(len(kinds))}
    heat = {key: f"heat of {key}" for key in pictures}
    files = SimpleNamespace(
        changes=changes, predictions=predictions, thumbnails=pictures, heat_maps=heat
    )
    return comparison.facts(files)


def test_what_got_worse_is_explained_and_what_got_better_is_not():
    told = compared(["worse", "better"], [0, 0, 0], [1, 0, 0], [0, 1, 0])
    (worse,), (better,) = told["got_worse"], told["got_better"]
    assert worse == {
        "path": "0.jpg", "image": "picture 0", "heat": "heat of 0", "label": "l", "answer": "c",
        "note": "served: s",
    }  # fmt: skip
    assert (better["image"], better["heat"]) == ("picture 1", None)


def test_pictures_are_counted_by_what_both_say_of_them():
    told = compared(["worse"], [0] * 6, [0, 0, 0, 1, 1, 1], [0, 0, 1, 0, 1, 1])
    assert told["table"] == [
        {"candidate": "right", "served_right": 2, "served_wrong": 1},
        {"candidate": "wrong", "served_right": 1, "served_wrong": 2},
    ]
    assert told["accuracy"] == {"candidate": 0.5, "served": 0.5} and told["left_out"] == 1
    assert compared([], [0] * 4, [0] * 4, [0, 1, 1, 1])["left_out"] == 3


def test_of_many_that_got_worse_the_first_are_shown():
    told = compared(["worse"] * 13, [0] * 13, [1] * 13, [0] * 13)
    assert [one["path"] for one in told["got_worse"]] == [f"{n}.jpg" for n in range(12)]


# Data


@pytest.fixture
def summarized(run):
    """`summarized(counts, **duplicates)`: the facts of such a data set."""
    run.data()
    file = run.artifacts["ImageExampleGen", "examples"] / "summary.json"

    def summarized(counts: dict[str, dict[str, int]], **duplicates: int):
        classes = sorted({name for of_split in counts.values() for name in of_split})
        none = dict.fromkeys(("copies", "identical", "contradicting", "leaking"), 0)
        summary = {"classes": classes, "total": 7, "counts": counts}
        file.write_text(json.dumps({**summary, "duplicates": none | duplicates}))
        return data.facts(run.files())

    return summarized


def test_a_class_that_a_split_has_not_is_counted_as_none(summarized):
    told = summarized({"test": {"a": 1}, "train": {"a": 2, "b": 3}})
    assert told["splits"] == ["train", "test"]
    assert told["classes"] == [
        {"name": "a", "pictures": {"train": 2, "test": 1}},
        {"name": "b", "pictures": {"train": 3, "test": 0}},
    ]
    assert told["all_classes"]["pictures"] == {"train": 5, "test": 1}


@pytest.mark.parametrize(("count", "fewest"), [(20, []), (21, ["20", "19", "18", "17", "16"])])
def test_of_many_classes_the_smallest_stand_in_front(summarized, count, fewest, shown):
    names = [f"{number:02}" for number in range(count)]
    told = summarized({"train": {name: 100 - int(name) for name in names}})
    assert [one["name"] for one in told["fewest"]] == fewest
    assert ("and the 5 smallest" in shown(data, told)) == bool(fewest)


def test_copies_are_told_with_the_harm_that_they_do(summarized, shown):
    one = shown(data, summarized({"train": {"a": 7}}, copies=1, contradicting=1))
    assert "1 is a copy of another (0 to the byte)" in one
    assert "in more than one class: 1; in more than one split: 0." in one
    two = shown(data, summarized({"train": {"a": 7}}, copies=2, identical=1, leaking=3))
    assert "2 are copies of others (1 to the byte)" in two
    assert "in more than one class: 0; in more than one split: 3." in two
    assert "None is a copy of another." in shown(data, summarized({"train": {"a": 7}}))


def test_a_fact_has_its_lowest_its_median_and_the_farthest(run):
    run.data()
    run.facts_of_pictures()
    (width,) = [one for one in data.facts(run.files())["outliers"] if one["fact"] == "width"]
    assert (width["lowest"], width["median"], width["highest"]) == (100.0, 120.5, 9000.0)
    folder = run.artifacts["ImageExampleGen", "examples"]
    table = pd.read_parquet(folder / "pictures.parquet").drop(columns="sharpness")
    table.to_parquet(folder / "pictures.parquet")
    assert data.facts(run.files())["outliers"] == [], "an earlier release measured less"


def test_of_outliers_the_farthest_is_named_and_all_are_counted(run, monkeypatch):
    run.data()
    run.facts_of_pictures()
    found = overview.FactRange("width", np.int64(1), 2.0, np.int64(9), [7, 3])
    monkeypatch.setattr(data, "fact_ranges", lambda _: [found])
    (told,) = data.facts(run.files())["outliers"]
    assert (told["farthest"], told["count"]) == ("7", 2)


def test_data_that_were_not_judged_have_no_findings(run):
    run.data()
    assert data.facts(run.files())["findings"] == []
    run.artifact("DataGate", "data_blessing")  # it was stopped before it had written its rows
    assert data.facts(run.files())["findings"] == []


# Lineage


@pytest.fixture
def of_version(pushed):
    """`of_version(**changes)`: the run that pushed version 2, whose origin is known."""
    evidence = served_versions.evidence_folder(pushed.folder / "runs/tiny/serving", "2")
    evidence.mkdir(parents=True)
    zone = timezone(timedelta(hours=5, minutes=30))
    pushed_at = datetime(2026, 11, 25, 1, 0, tzinfo=zone)
    served_versions.write_push_record(evidence, served_versions.PushRecord(pushed_at, "d" * 64, {}))
    facts = {
        "recipe": {"name": "as it was"},
        "inputs": {"weights_fingerprint": "w", "teacher_fingerprint": ""},
        "code": "c",
        "libraries": "l",
        "versions": {"graft": "1.0", "tfx": "1.17"},
        "git": {"revision": "r", "dirty": False},
    }

    def of_version(**changes) -> RunFiles:
        (evidence / "provenance.json").write_text(json.dumps(facts | changes))
        return pushed.files("2")

    return of_version


def test_the_origin_of_a_version_is_told_name_by_name(of_version):
    told = lineage.facts(of_version())
    assert told["digest"] == "d" * 64
    assert told["origin"] == {
        "graft version": "1.0",
        "tfx version": "1.17",
        "Git revision": "r",
        "SHA-256 of the code": "c",
        "SHA-256 of the libraries": "l",
        "weights fingerprint": "w",
    }
    assert told["recipe"] == ["name: as it was"] and told["recipe_is"] == "Recipe of the version"
    changed = lineage.facts(of_version(git={"revision": "r", "dirty": True}))
    assert changed["origin"]["Git revision"] == "r (with changes)"
    assert lineage.facts(of_version(git=None))["origin"]["Git revision"] == "none"


def test_the_recipe_is_shown_in_its_own_order_and_letters(of_version, shown):
    told = lineage.facts(of_version(recipe={"name": "\u00e4pfel", "data": {"source": "b", "a": 1}}))
    assert told["recipe"] == ["name: \u00e4pfel", "data:", "  source: b", "  a: 1"]
    text = shown(lineage, told)
    assert "<summary>Recipe of the version</summary>" in text and "name: \u00e4pfel data:" in text
    assert f'<dt>SHA-256 of the model</dt><dd class="path">{"d" * 64}</dd>' in text
    folder = told["artifacts"]["Trainer.model_run"]
    assert f'<dt>Trainer.model_run</dt><dd class="path">{folder}</dd>' in text


def test_without_a_version_the_recipe_is_that_of_today(pushed):
    told = lineage.facts(pushed.files())
    assert told["origin"] == {} and told["digest"] == ""
    assert "name: tiny" in told["recipe"] and told["recipe_is"].startswith("Recipe as it was for")


def test_the_commands_are_about_the_version_and_the_run(of_version, pushed):
    recipe = f"--recipe {pushed.config}"
    about_run = [
        f"graft runs show {pushed.NAME} {recipe}",
        f"graft report {pushed.NAME} {recipe}",
    ]
    assert of_version().commands == [
        f"graft verify 2 {recipe}",
        f"graft versions show 2 {recipe}",
        f"graft reproduce 2 {recipe}",
        *about_run,
    ]
    assert pushed.files().commands == about_run


def test_a_command_can_be_typed_into_a_shell(run):
    files = dataclasses.replace(run.files(), config="my recipe.yaml", overrides=("a=b c", "seed=1"))
    given = "'my recipe.yaml' --set 'a=b c' --set seed=1"
    assert files.command("runs", "show") == f"graft runs show --recipe {given}"
    assert files.recipe_command("data", "labels") == f"graft data labels {given}"


@pytest.mark.usefixtures("far_east")
def test_the_last_two_versions_are_told_with_the_time_of_their_push(of_version, pushed):
    assert of_version().served == ["version 1", "version 2, pushed 2026-11-24 19:30 UTC"]
    pushed.serve("3")
    assert of_version().served == ["version 2, pushed 2026-11-24 19:30 UTC", "version 3"]


# Pictures and slices


def test_every_kind_of_picture_is_the_one_that_its_title_says(run, monkeypatch, shown):
    run.data()
    run.evaluation(scores=[[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    run.keep_thumbnails("cat/0.jpg", "cat/1.jpg", "dog/0.jpg", heat=True)
    kinds = {"worst_mistakes": 2, "least_sure": 1, "suspected_labels": 0, "right_ones": 0}
    for name, row in kinds.items():
        found = {12: [row]}  # as many as a gallery holds
        monkeypatch.setattr(pictures.highlights, name, lambda _, most, found=found: found[most])
    told = pictures.facts(run.files())
    assert {
        key: [one["path"] for one in told[key]] for key in told if isinstance(told[key], list)
    } == {
        "worst": ["dog/0.jpg"],
        "least_sure": ["cat/1.jpg"],
        "suspects": ["cat/0.jpg"],
        "right": ["cat/0.jpg"],
    }
    (worst,) = told["worst"]
    assert (worst["label"], worst["answer"], worst["note"]) == ("dog", "cat", "probability 0.700")
    kinds = ("worst", "least_sure", "suspects", "right")
    assert [bool(told[kind][0]["heat"]) for kind in kinds] == [True, True, True, False]
    assert told["find_more"] == f"graft data labels {run.config}"
    text = shown(pictures, told)
    assert "<b>dog</b> → <b>cat</b><br>" in text and "<b>cat</b><br> probability 0.900" in text


def test_pictures_without_heat_maps_are_not_said_to_be_explained(run):
    run.data()
    run.evaluation()
    told = pictures.facts(run.files())
    assert told["worst"][0]["image"] and not told["explained"]


def test_found_slices_are_told_with_the_confidence_of_the_recipe(run, monkeypatch, shown):
    run.evaluation()
    found = SimpleNamespace(name="x", wrong=3, pictures=7, elsewhere=0.25, p_value=0.001)
    asked = []
    monkeypatch.setattr(slices, "find_slices", lambda *given: asked.append(given[-1]) or [found])
    recipe = load_recipe(
        str(run.config), ["evaluation.confidence=0.9", "evaluation.slices=[format]"]
    )
    nobody = SimpleNamespace(name="none", rows=np.zeros(3, bool))
    one = SimpleNamespace(name="first", rows=np.array([True, False, False]))
    monkeypatch.setattr(slices, "cut", lambda *_: [nobody, one])
    told = slices.facts(dataclasses.replace(run.files(), recipe=recipe))
    assert asked == [0.9] and told["found"] == [vars(found)]
    assert told["configured"] == [
        {"name": "none", "pictures": 0, "accuracy": None},
        {"name": "first", "pictures": 1, "accuracy": 1.0},
    ]
    text = shown(slices, told)
    assert "<b>x</b>: 3 of 7 wrong; elsewhere 0.25 (p 0.001)" in text
