"""`graft data show`: which pictures are on the sheet, and what is printed beside it."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from components import contact_sheet, pillow_pictures
from components.errors import UserError
from components.example_gen import overview
from components.example_gen.overview import FactRange
from components.trainer.inputs import examples, views
from pipeline.commands import data_show
from pipeline.config import Recipe
from pipeline.run_result import NodeReport


def table(labels, splits=None, **facts) -> pd.DataFrame:
    """`pictures.parquet` of pictures `0`, `1`, …"""
    names = [str(row) for row in range(len(labels))]
    given = {"image_id": names, "path": [f"{name}.jpg" for name in names], "label": labels}
    return pd.DataFrame({**given, "split": splits or ["train"] * len(labels), **facts})


@pytest.fixture
def sections(monkeypatch):
    """`sections(pictures, ranges, copies)`: titles and tiles, whose pictures are their ids.

    `sections.read` are the ids of what was read for them.
    """

    def find_records(_, ids):
        sections.read = ids
        return {one: one for one in ids}

    monkeypatch.setattr(examples, "find_records", find_records)
    monkeypatch.setattr(examples, "encoded_picture", lambda record: record)
    monkeypatch.setattr(pillow_pictures, "small_copy", lambda encoded, _: encoded)
    monkeypatch.setattr(
        data_show, "_views", lambda _, __, record: contact_sheet.Section(f"views of {record}", [])
    )

    def sections(pictures, ranges=(), copies=()):
        dataset = SimpleNamespace(files=lambda *_: [])
        return data_show._sections(None, dataset, pictures, ranges, list(copies))

    return sections


def test_each_class_has_some_of_its_pictures_with_split_and_path(sections):
    pictures = table(["dog", "cat", "cat"], ["test", "validation", "train"])
    cat, dog, shown = sections(pictures)
    assert (cat.heading, dog.heading) == ("cat (2 pictures)", "dog (1 pictures)")
    assert [(tile.picture, tile.captions) for tile in cat.tiles] == [
        ("1", ("validation", "1.jpg")),
        ("2", ("train", "2.jpg")),
    ]
    assert shown.heading == "views of 2", "of the training split, as the network learns from it"


def test_of_many_classes_the_first_are_shown_and_the_rest_is_counted(sections):
    names = [f"class {number:02}" for number in range(22)]
    titles = [section.heading for section in sections(table(names))]
    assert titles[:20] == [f"{name} (1 pictures)" for name in names[:20]]
    assert titles[20:] == ["and 2 more classes", "views of 0"]
    assert sections.read == {str(row) for row in range(20)}, "no picture that is not shown"


def test_a_picture_that_is_far_from_the_rest_is_shown_once_with_every_fact(sections):
    pictures = table(["cat"] * 4, width=[1, 9000, 2, 3], bytes=[5, 99_999, 0.25, 6])
    ranges = [FactRange("width", 1, 2, 9000, [1]), FactRange("bytes", 0.25, 5, 99_999, [1, 2, 3])]
    far = sections(pictures, ranges)[-1]
    assert far.heading == "Far from the rest"
    assert [(tile.picture, *tile.captions) for tile in far.tiles] == [
        ("1", "width 9,000, bytes 99,999", "1.jpg"),
        ("2", "bytes 0.25", "2.jpg"),
    ]


def test_copies_that_harm_are_red(sections):
    pictures = table(list("aaabaaa"), ["train"] * 6 + ["test"])
    copied = sections(pictures, (), [[2, 3], [5, 6], [0, 1, 4]])[-1]
    assert [(tile.picture, tile.captions[0], tile.marked) for tile in copied.tiles] == [
        ("2", "a, train", True), ("3", "b, train", True),
        ("5", "a, train", True), ("6", "a, test", True),
        ("0", "a, train", False), ("1", "a, train", False),
    ]  # fmt: skip


def test_of_many_groups_of_copies_the_first_are_shown(sections):
    pictures = table(["cat"] * 22)
    copied = sections(pictures, (), [[row, row + 11] for row in range(11)])[-1]
    shown = [str(row) for first in range(10) for row in (first, first + 11)]
    assert [tile.picture for tile in copied.tiles] == shown


@pytest.mark.parametrize(
    ("zoom", "network", "value_range"), [(0.0, "mobilenet_v2", "tf"), (0.1, "resnet50", "caffe")]
)
def test_without_augmentation_there_is_one_view(monkeypatch, zoom, network, value_range):
    backbone = {"name": network, "image_size": 96}
    recipe = Recipe(name="a", augmentation={"zoom": zoom}, backbone=backbone)
    monkeypatch.setattr("tensorflow_transform.TFTransformOutput", lambda folder: folder)
    monkeypatch.setattr(examples, "ExampleReader", lambda *given: given)
    pixels = np.zeros((2, 2, 3), np.uint8)
    asked = []

    def shown_views(reader, record, numbers, value_range):
        asked.append((reader, record, value_range))
        return [pixels for _ in numbers]

    monkeypatch.setattr(views, "shown_views", shown_views)
    shown = data_show._views(recipe, SimpleNamespace(transform_graph="graph"), b"a record")
    assert asked == [(("graph", 1), b"a record", value_range)]
    assert shown.heading.endswith(", as the network gets them (96 x 96 pixels)")
    captions = [tile.captions for tile in shown.tiles]
    if zoom:
        assert captions[:3] == [("as it is served",), ("view 1",), ("view 2",)]
        assert len(captions) == 10 and shown.heading.startswith(
            "One training picture and its views"
        )
    else:
        assert captions == [("as it is served",)] and shown.heading.startswith("No augmentation")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.12345, "0.123"), (99.44, "99.4"), (999.6, "1,000"), (-12_345.6, "-12,346"), (100, "100")],
)
def test_numbers_have_three_digits_and_all_before_the_point(value, shown):
    assert data_show.number(value) == shown


@pytest.fixture
def said():
    """A console, and `said()`: what was printed to it."""
    console = Console(file=io.StringIO(), width=120)
    return console, console.file.getvalue


@pytest.fixture
def show(said, monkeypatch, tmp_path):
    """`show(sheet)` runs the command without its nodes; gives what it said and what it drew."""
    console, text = said
    reports, drawn = [], []
    display = SimpleNamespace(node_started=reports.append, node_finished=reports.append)
    facts = {"format": ["PNG", "JPEG", "PNG"], "orientation": ["1", "1", "6"]}
    pictures = table(["cat", "cat", "dog"], **facts)
    (tmp_path / "quarantine.jsonl").write_text("")
    dataset = SimpleNamespace(pictures=lambda: pictures, folder=tmp_path)
    for place, name, stand_in in (
        (data_show, "run_locally", lambda recipe, title, work, **_: work(console, None, display)),
        (data_show, "read_dataset", lambda *_: dataset),
        (data_show, "_sections", lambda *_: ["a section"]),
        (overview, "fact_ranges", lambda _: []),
        (overview, "duplicate_groups", lambda _: []),
        (contact_sheet, "draw", lambda *given: given),
        (contact_sheet, "write", lambda sheet, path: drawn.append((sheet, path))),
    ):
        monkeypatch.setattr(place, name, stand_in)

    def show(sheet):
        code = data_show.show_data("digits", [f"workspace={tmp_path}"], sheet, False, False)
        return code, text(), drawn, reports

    return show


def test_all_that_pictures_are_is_told_in_one_order(show, tmp_path):
    code, told, drawn, (begun, ended) = show(tmp_path / "a.png")
    parts = (
        "Pictures ", "\nformat: PNG (2), JPEG (1)\n", "orientation: 1 (2), 6 (1)\n", "\nFacts ",
        "No picture is a copy of another\n", "No file was set aside\n",
        f"Contact sheet: {tmp_path}/a.png",
    )  # fmt: skip
    places = [told.find(part) for part in parts]
    assert code == 0 and places == sorted(places) and places[0] == 0, told
    assert drawn == [(("digits: 3 pictures of digits", ["a section"], 10), tmp_path / "a.png")]
    assert begun == "Contact sheet"
    assert ended == NodeReport(begun, ended.seconds, False, "") and 0 <= ended.seconds < 60


def test_the_sheet_lies_in_the_folder_of_the_recipe_unless_told(show, tmp_path):
    ((_, path),) = show(None)[2]
    assert path == tmp_path / "digits" / "data.png"
    with pytest.raises(UserError, match=r"--output a\.jpg: what is drawn is a picture"):
        show(Path("a.jpg"))


@pytest.mark.parametrize("groups", [10, 11])
def test_of_many_copies_the_first_are_listed_and_the_rest_is_counted(said, groups):
    console, text = said
    pictures = table(["cat"] * 12)
    data_show._show_copies(console, pictures, [list(range(12))] + [[0, 1]] * (groups - 1))
    assert f"{groups} group(s) of copies" in text() and "and 2 more " in text()
    assert "9.jpg" in text() and "10.jpg" not in text()
    assert text().rstrip().endswith("and 1 more groups" if groups == 11 else "┘")


def test_where_all_copies_of_a_picture_are_listed_none_is_counted(said):
    console, text = said
    data_show._show_copies(console, table(["cat"] * 10), [list(range(10))])
    assert "9.jpg" in text() and "more" not in text()


@pytest.mark.parametrize("count", [10, 12])
def test_of_many_files_set_aside_the_first_are_listed_and_the_rest_is_counted(
    said, tmp_path, count
):
    console, text = said
    entries = [json.dumps({"path": f"{n}.jpg", "reason": f"why {n}"}) for n in range(count)]
    (tmp_path / "quarantine.jsonl").write_text("\n".join(entries))
    data_show._show_quarantine(console, tmp_path)
    assert f"{count} file(s) set aside" in " ".join(text().split())
    assert all(f"why {number}" in text() for number in range(10)) and "why 10" not in text()
    rest = f"and 2 more: {tmp_path / 'quarantine.jsonl'}"
    assert (rest in text().replace("\n", "")) == ("more" in text()) == (count == 12)


def test_a_path_or_a_reason_that_looks_like_markup_is_shown_as_it_is(said, tmp_path):
    console, text = said
    odd = "[red]a[/]\x1b"
    (tmp_path / "quarantine.jsonl").write_text(json.dumps({"path": odd, "reason": odd}))
    data_show._show_quarantine(console, tmp_path)
    data_show._show_copies(console, table([odd] * 2).assign(path=odd), [[0, 1]])
    assert text().count(r"[red]a[/]\x1b") == 2 + 2 * 2 and "\x1b" not in text()


def test_however_narrow_the_terminal_a_path_is_shown_in_full(tmp_path):
    path = f"{'a-folder/' * 9}picture.jpg"
    pictures = table(["cat"] * 2, width=[1, 9000]).assign(path=path)
    entry = json.dumps({"path": path, "reason": path})
    (tmp_path / "quarantine.jsonl").write_text(entry)
    for show, count in (
        (lambda console: data_show._show_copies(console, pictures, [[0, 1]]), 2),
        (lambda console: data_show._show_quarantine(console, tmp_path), 2),
        (
            lambda console: console.print(
                data_show.fact_table(pictures, [FactRange("width", 1, 2, 9000, [1])])
            ),
            1,
        ),
    ):
        console = Console(file=io.StringIO(), width=70)
        show(console)
        rows = [line.split("│")[1:-1] for line in console.file.getvalue().splitlines()]
        columns = zip(*(row for row in rows if row), strict=True)
        told = ["".join(cell.strip() for cell in column) for column in columns]
        assert sum(column.count(path) for column in told) == count
