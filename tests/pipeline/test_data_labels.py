"""`graft data labels`: what is searched, drawn and written."""

import csv
import io
import shlex
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from rich.console import Console

from components import contact_sheet, pillow_pictures
from components.errors import UserError
from components.trainer import wrong_labels
from components.trainer.inputs import examples
from components.trainer.wrong_labels import Suspect
from pipeline.commands import data_labels
from pipeline.config import load_recipe
from pipeline.run_result import NodeReport

SUSPECTS = [Suspect(str(n), f"{n}.jpg", "bar", "disc", 0.1 * n) for n in range(1, 4)]


@pytest.fixture
def review(tmp_path, monkeypatch):
    """`review(suspects, top)` runs the command without its nodes; gives what it said and drew."""
    console, drawn = Console(file=io.StringIO(), width=400), []
    dataset = SimpleNamespace(files=lambda *splits: list(splits))
    for name, stand_in in {
        "run_locally": lambda recipe, title, work, **_: work(console, None, None),
        "read_dataset": lambda *_: dataset,
        "_draw": lambda *given: drawn.append(given),
    }.items():
        monkeypatch.setattr(data_labels, name, stand_in)

    def review(
        suspects,
        top=9,
        overrides=(),
        sheet=tmp_path / "new" / "folder" / "sheet.png",
        config="digits",
    ):
        monkeypatch.setattr(data_labels, "_search", lambda *_: suspects)
        settings = [f"workspace={tmp_path}", *overrides]
        assert data_labels.review_labels(config, settings, top, sheet, False, False) == 0
        return console.file.getvalue(), drawn

    return review


@pytest.mark.parametrize(("top", "drawn"), [(2, 2), (9, 3)])
def test_what_is_said_to_be_drawn_is(review, top, drawn, tmp_path):
    said, shown = review(SUSPECTS, top)
    sheet = tmp_path / "new" / "folder" / "sheet.png"
    splits = ["train", "validation", "test"]
    assert shown == [(SUSPECTS[:drawn], splits, "digits: labels that seem wrong", sheet)]
    assert f"the first {drawn}: {sheet}" in said and "All 3, " in said


def test_sheet_and_table_lie_in_the_folder_of_the_recipe_unless_told(review, tmp_path):
    _, ((*_, sheet),) = review(SUSPECTS, sheet=None)
    assert sheet == tmp_path / "digits" / "labels.png" and sheet.with_suffix(".csv").is_file()


def test_the_advice_can_be_typed_into_a_shell(review, tmp_path):
    settings = ["data.near_duplicates=false", "data.source=my pictures"]
    recipe = tmp_path / "fruit.yaml"
    recipe.write_text("name: apples\ndata: {source: digits}\n")
    sheet = tmp_path / "my sheet.png"
    said, _ = review(SUSPECTS, overrides=settings, sheet=sheet, config=str(recipe))
    *_, line = said.strip().splitlines()
    assert shlex.split(line.partition("run: ")[2]) == [
        *("graft", "data", "relabel", str(tmp_path / "my sheet.csv"), "--recipe", str(recipe)),
        *(word for one in (f"workspace={tmp_path}", *settings) for word in ("--set", one)),
    ]


def test_where_nothing_is_suspected_the_file_says_so(review, tmp_path):
    said, shown = review([])
    assert "Every label is what it seems to be" in said and not shown
    table = tmp_path / "new" / "folder" / "sheet.csv"
    assert list(csv.reader(table.read_text().splitlines())) == [list(data_labels.COLUMNS)]


def test_a_network_of_random_weights_is_not_asked():
    with pytest.raises(UserError, match=r"backbone\.weights is `none`.* tells nothing about"):
        data_labels.review_labels(
            "hotdog_from_scratch", [], 5, Path("x.png"), verbose=False, wait=False
        )


def test_a_sheet_that_is_no_png_is_refused_before_the_search(review):
    with pytest.raises(UserError, match=r"--output sheet\.jpg: what is drawn is a picture"):
        data_labels.review_labels("digits", [], 5, Path("sheet.jpg"), verbose=False, wait=False)


def test_copies_are_judged_together_and_the_suspects_are_counted(monkeypatch):
    asked, reports = [], []

    def find_suspects(settings, graph, files, groups):
        asked.append((graph, files, groups))
        return SUSPECTS

    monkeypatch.setattr(wrong_labels, "find_suspects", find_suspects)
    pictures = pd.DataFrame({"image_id": list("abcdd"), "group": list("aacdd")})
    dataset = SimpleNamespace(
        transform_graph="graph", files=lambda *splits: list(splits), pictures=lambda: pictures
    )
    display = SimpleNamespace(node_started=reports.append, node_finished=reports.append)
    assert data_labels._search(dataset, load_recipe("digits"), display) == SUSPECTS
    splits = ["train", "validation", "test"]
    assert asked == [("graph", splits, {"a": "a", "b": "a", "c": "c", "d": "d"})]
    begun, report = reports
    summary = "3 of 5 pictures are taken for another class"
    assert report == NodeReport(begun, report.seconds, False, summary) and 0 <= report.seconds < 60


def test_a_suspect_is_drawn_with_its_number_both_classes_and_its_path(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(examples, "find_records", lambda _, ids: {one: one for one in ids})
    monkeypatch.setattr(examples, "encoded_picture", lambda record: record)
    monkeypatch.setattr(pillow_pictures, "small_copy", lambda encoded, _: encoded)
    monkeypatch.setattr(contact_sheet, "draw", lambda title, parts: drawn.append((title, parts)))
    monkeypatch.setattr(contact_sheet, "write", lambda _, path: drawn.append(path))
    data_labels._draw(SUSPECTS, [], "a title", tmp_path / "sheet.png")
    (title, (section,)), path = drawn
    assert title == "a title" and path == tmp_path / "sheet.png"
    assert [(tile.picture, *tile.captions) for tile in section.tiles] == [
        (str(n), f"{n}  bar → disc?", f"P(bar) = {n / 10:.3f}", f"{n}.jpg") for n in (1, 2, 3)
    ]
