"""What `graft predict` prints and draws of single answers."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.cells import cell_len

from components import contact_sheet
from components.errors import UserError
from pipeline.commands import predict_sheet
from pipeline.commands.png_output import check_png
from pipeline.commands.predict_model import Answer
from pipeline.commands.predict_output import Csv, JsonLines, Table, ranked
from pipeline.commands.predict_sheet import Sheet


def answer(*probabilities: float, path="p.png", **options) -> Answer:
    return Answer(path, np.array(probabilities, np.float32), **options)


def test_of_two_classes_that_are_as_probable_the_first_one_is_the_answer():
    tied = answer(0.2, 0.4, 0.4)
    assert [name for name, _ in ranked(tied, ["a", "b", "c"])] == ["b", "c", "a"]


def test_a_row_tells_the_class_the_runner_up_and_whether_it_is_unsure():
    table = Table(["cat", "dog"], abstains=True, has_label_sets=False, width=None)
    assert table.heading().split() == ["class", "probability", "unsure", "next", "picture"]
    assert table.row(answer(0.3, 0.7, unsure=True)).split() == [
        *("dog", "0.700", "unsure", "cat", "0.300", "p.png")
    ]
    assert "unsure" not in table.row(answer(0.3, 0.7, unsure=False))


def test_next_to_the_answer_stands_the_second_of_all_classes():
    table = Table(["a", "b", "c"], abstains=False, has_label_sets=False, width=None)
    assert table.row(answer(0.3, 0.1, 0.6)).split() == ["c", "0.600", "a", "0.300", "p.png"]
    assert Csv(["a", "b", "c"]).row(answer(0.3, 0.1, 0.6)).split(",")[1:5] == [
        *("c", "0.600000", "a", "0.300000")
    ]


def test_a_label_set_of_no_class_is_said_to_be_none():
    table = Table(["cat", "dog"], abstains=False, has_label_sets=True, width=None)
    row = table.row(answer(0.3, 0.7, label_set=np.array([False, False])))
    assert row.split() == ["dog", "0.700", "none", "p.png"]


def test_the_only_class_of_a_model_has_no_runner_up():
    table = Table(["only"], abstains=False, has_label_sets=False, width=None)
    assert table.row(answer(1.0)).split() == ["only", "1.000", "p.png"]
    assert table.row(answer(1.0)).index("p.png") == table.heading().index("picture")


@pytest.mark.parametrize(
    ("longest", "width", "shown"),
    [("cat", 5, "cat"), ("c" * 16, 16, "c" * 16), ("c" * 17, 16, "c" * 15 + "…")],
)
def test_a_column_is_as_wide_as_its_longest_class_up_to_a_bound(longest, width, shown):
    table = Table([longest, "a"], abstains=False, has_label_sets=False, width=None)
    assert table.heading().index("probability") == width + 2
    assert table.row(answer(0.9, 0.1)).split()[0] == shown


@pytest.mark.parametrize("length", [5, 12, 13, 40])
def test_however_narrow_the_terminal_the_end_of_a_path_is_shown(length):
    table = Table(["cat", "dog"], abstains=False, has_label_sets=False, width=20)
    path = "/" + "x" * (length - 5) + ".png"
    shown = table.row(answer(0.9, 0.1, path=path)).rsplit(maxsplit=1)[1]
    assert shown == (path if length <= 12 else f"…{path[-11:]}") and cell_len(shown) <= 12


def test_no_line_of_json_holds_a_number_that_is_none():
    text = JsonLines(["a", "b"]).row(answer(np.nan, np.nan))
    fields = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in {text}"))
    assert fields["probability"] is None


def test_a_model_of_one_class_has_no_runner_up_in_csv():
    assert Csv(["only"]).row(answer(1.0)) == "p.png,only,1.000000,,,,,"


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """`drawn(answers, explained)`: title and tiles of a sheet of at most two pictures."""
    sheets = []
    monkeypatch.setattr(
        contact_sheet, "draw", lambda title, parts, _: sheets.append((title, parts))
    )
    monkeypatch.setattr(contact_sheet, "write", lambda *_: None)
    monkeypatch.setattr(predict_sheet, "_MOST", 2)
    Image.new("RGB", (40, 30)).save(tmp_path / "p.png")

    def drawn(*answers):
        sheet = Sheet(["cat", "dog"], explained=False)
        for one in answers:
            sheet.add(one)
        sheet.write(tmp_path / "sheet.png", "m")
        ((title, (section,)),) = sheets
        return title, [(*tile.captions, tile.marked) for tile in section.tiles]

    return drawn


@pytest.mark.parametrize(
    ("count", "title"), [(1, "1 picture"), (2, "2 pictures"), (3, "2 of 3 pictures")]
)
def test_a_sheet_holds_what_its_title_says(drawn, count, title):
    said, tiles = drawn(*[answer(0.9, 0.1)] * count)
    assert said == f"m: {title}" and tiles == [("cat 0.900", "p.png", False)] * min(count, 2)


def test_a_picture_on_a_sheet_stands_upright_and_is_small(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera lay on its side
    Image.new("RGB", (800, 400)).save(tmp_path / "p.jpg", exif=turned)
    assert predict_sheet._small_copy(str(tmp_path / "p.jpg")).size == (64, 128)


@pytest.mark.parametrize("name", ["gone.png", "torn.png", "nul\0.png"])
def test_in_the_place_of_what_cannot_be_shown_there_is_an_empty_square(tmp_path, name):
    Image.new("RGB", (400, 300)).save(tmp_path / "torn.png")
    whole = (tmp_path / "torn.png").read_bytes()
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    shown = predict_sheet._small_copy(str(tmp_path / name))
    assert shown.size == (128, 128) and shown.getcolors() == [(128 * 128, (0xEE, 0xEE, 0xEE))]


@pytest.mark.parametrize("name", ["a.png", "a.PNG"])
def test_a_picture_is_drawn_into_a_file_that_says_so(name):
    check_png(Path(name))
    with pytest.raises(UserError, match=r"^--sheet png: what is drawn is a picture"):
        check_png(Path("png"), "--sheet")


def test_what_is_unsure_or_has_no_answer_is_marked(drawn):
    both = np.array([True, True])
    _, tiles = drawn(
        answer(0.4, 0.6, unsure=True, label_set=both), Answer("p.png", error="damaged PNG")
    )
    assert tiles == [
        ("dog 0.600", "unsure: dog, cat", "p.png", True),
        ("damaged PNG", "p.png", True),
    ]


@pytest.mark.parametrize("label_set", [None, np.array([False, False])])
def test_without_a_label_set_it_is_unsure_and_no_more(drawn, label_set):
    _, tiles = drawn(answer(0.4, 0.6, unsure=True, label_set=label_set))
    assert tiles == [("dog 0.600", "unsure", "p.png", True)]
