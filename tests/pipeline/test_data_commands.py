"""`graft data`: what it prints and writes around the work of the nodes."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from components.errors import UserError
from components.example_gen.fixes import DROP, RELABEL, Fix, read_fixes
from components.example_gen.overview import FactRange
from components.trainer.wrong_labels import Suspect
from pipeline.commands import data_labels, data_relabel, data_show


def printed(table) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    return console.file.getvalue()


ODD = 'cats/\x1b[31m<b>,"x"\n[red].jpg'


def test_suspects_are_rows_that_any_reader_of_csv_takes_back():
    text = data_labels.to_csv([Suspect("0" * 64, ODD, "cats", "süße Hunde", 0.01234567)])
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["path", "given", "suggested", "score"],
        [ODD, "cats", "süße Hunde", "0.012346"],
    ]
    assert "\r" not in text, "lines end as those of any text"


def test_the_advice_tells_what_is_where(tmp_path):
    text = data_labels.advice(120, 90, tmp_path / "a.png", tmp_path / "b.csv", "graft it\x1b")
    assert f"first 90: {tmp_path}/a.png\n" in text and f"first: {tmp_path}/b.csv\n" in text
    assert "All 120, " in text and text.endswith("run: graft it\\x1b")


@pytest.fixture
def recipe(tmp_path, write_pictures, monkeypatch):
    """The path of a recipe of three shapes; this folder is the current one."""
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "pictures", per_class=2)
    path = tmp_path / "shapes.yaml"
    path.write_text("name: shapes\ndata: {source: pictures}\n")
    return path


def decide(tmp_path, *rows: str):
    path = tmp_path / "fixes.csv"
    path.write_text("\n".join(["path,label,action", *rows]))
    return path


def test_decisions_are_added_to_the_overlay_beside_the_recipe(recipe, tmp_path, capsys):
    before = {path: path.read_bytes() for path in tmp_path.glob("pictures/*/*")}
    overlay = tmp_path / "shapes.fixes.csv"
    first = decide(tmp_path, "bar/000.jpg,disc,", "bar/001.jpg,,drop")
    data_relabel.relabel(first, str(recipe), [], None)
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{overlay}: 1 to relabel and 1 to drop were added; it holds 2" in shown
    assert f"--set data.fixes={overlay}" in shown

    second = decide(tmp_path, "bar/001.jpg,frame,", "disc/000.jpg,,drop")
    data_relabel.relabel(second, str(recipe), [f"data.fixes={overlay}"], None)
    shown = " ".join(capsys.readouterr().out.split())
    assert "(1 of these pictures were there already); it holds 3" in shown
    assert "--set" not in shown, "the recipe has it"
    assert sorted(read_fixes(str(overlay)).values(), key=lambda fix: fix.path) == [
        Fix(RELABEL, "disc", "bar/000.jpg"),
        Fix(RELABEL, "frame", "bar/001.jpg"),
        Fix(DROP, "", "disc/000.jpg"),
    ]
    assert {path: path.read_bytes() for path in tmp_path.glob("pictures/*/*")} == before


def test_after_a_mistake_the_overlay_is_as_it_was(recipe, tmp_path):
    overlay = tmp_path / "shapes.fixes.csv"
    data_relabel.relabel(decide(tmp_path, "bar/000.jpg,disc,"), str(recipe), [], None)
    before = overlay.read_bytes()
    with pytest.raises(UserError, match="1 of its 2 pictures are not in"):
        bad = decide(tmp_path, "bar/001.jpg,disc,", "bar/gone.jpg,disc,")
        data_relabel.relabel(bad, str(recipe), [], None)
    with pytest.raises(UserError, match=r"would be written over: name another --output"):
        data_relabel.relabel(overlay, str(recipe), [], None)
    assert overlay.read_bytes() == before


def test_the_overlay_of_a_recipe_that_comes_with_graft_lies_here():
    assert str(data_relabel.default_overlay("digits")) == "digits.fixes.csv"
    assert str(data_relabel.default_overlay("a/fruit.yaml")) == "a/fruit.fixes.csv"


@pytest.fixture
def pictures():
    return pd.DataFrame(
        {
            "label": ["cats", "cats", "[red]dogs"],
            "split": ["train", "test", "train"],
            "path": [ODD, "b", "c"],
            "brightness": [1.25, 100.0, 12_345.6],
        }
    )


def test_pictures_are_counted_by_class_and_split(pictures):
    lines = [
        line.split("│")[1:-1] for line in printed(data_show.class_table(pictures)).splitlines()
    ]
    lines = [line for line in lines if len(line) == 5]
    assert all(re.search(r"\d $", cell) for line in lines for cell in line[1:]), "lined up"
    rows = [[cell.strip() for cell in line] for line in lines]
    assert rows == [
        ["[red]dogs", "1", "0", "0", "1"],
        ["cats", "1", "0", "1", "2"],
        ["together", "2", "0", "1", "3"],
    ]


def test_classes_stand_in_the_order_of_their_names():
    shuffled = pd.DataFrame({"label": list("febdac"), "split": ["train"] * 6})
    lines = printed(data_show.class_table(shuffled)).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("│")] == [*"abcdef", "together"]


def test_a_fact_has_its_range_and_its_farthest_picture(pictures):
    text = printed(
        data_show.fact_table(pictures, [FactRange("brightness", 1.25, 100, 12345.6, [0, 1])])
    )
    assert "\x1b" not in text and r"cats/\x1b[31m<b>" in text and r"\n[red].jpg" in text
    assert re.search(r"\b1\.25\W+100\W+12,346\W+2\b", text), "lowest, median, highest, outliers"


@pytest.mark.parametrize(("count", "most"), [(1, 10), (10, 10), (1000, 10), (7, 3)])
def test_samples_are_spread_and_none_comes_twice(count, most):
    chosen = data_show.sample(np.arange(100, 100 + count), most)
    assert len(set(chosen)) == len(chosen) == min(count, most)
    assert (chosen[0] == 100 and chosen[-1] == 99 + count) or most == 1


def test_an_overlay_that_is_named_goes_before_that_of_the_recipe(recipe, tmp_path, capsys):
    old, new = tmp_path / "old.csv", tmp_path / "new" / "folder" / "other.csv"
    data_relabel.relabel(decide(tmp_path, "bar/000.jpg,disc,"), str(recipe), [], old)
    second = decide(tmp_path, "bar/001.jpg,,drop")
    data_relabel.relabel(second, str(recipe), [f"data.fixes={old}"], new)
    assert [fix.path for fix in read_fixes(str(old)).values()] == ["bar/000.jpg"]
    assert [fix.path for fix in read_fixes(str(new)).values()] == ["bar/001.jpg"]
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{new}: 0 to relabel and 1 to drop were added; it holds 1" in shown
    assert f"--set data.fixes={new}" in shown


def test_an_overlay_by_another_path_is_not_written_over_either(recipe, tmp_path):
    data_relabel.relabel(decide(tmp_path, "bar/000.jpg,disc,"), str(recipe), [], None)
    with pytest.raises(UserError, match=r"would be written over: name another --output"):
        data_relabel.relabel(Path("shapes.fixes.csv"), str(recipe), [], None)


def test_a_decision_that_says_what_was_said_before_is_not_counted_as_new(tmp_path):
    fix = Fix(RELABEL, "disc", "a.jpg")
    told = data_relabel.describe({"1": fix, "2": fix}, {"1": fix, "3": fix}, tmp_path / "f.csv")
    assert "2 to relabel and 0 to drop were added (1 of these pictures were there already)" in told
    assert told.endswith("; it holds 3")


def test_a_download_is_announced_where_it_can_be_seen(recipe, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(
        data_relabel.preflight, "announce_download", lambda data: print(f"Fetching {data.source}")
    )
    data_relabel.relabel(decide(tmp_path, "bar/000.jpg,disc,"), str(recipe), [], None)
    assert capfd.readouterr().out.startswith("Fetching pictures\n")
