"""The contact sheet of `graft predict`."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components import contact_sheet
from components.errors import UserError
from pipeline.commands import predict_model, predict_sheet
from pipeline.commands.png_output import check_png
from pipeline.commands.predict_model import Answer
from pipeline.commands.predict_sheet import Sheet


def answer(*probabilities: float, path="p.png", **options) -> Answer:
    return Answer(path, np.array(probabilities, np.float32), **options)


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


@pytest.mark.parametrize("name", ["gone.png", "torn.png", "nul\0.png", "vast.bmp"])
def test_in_the_place_of_what_cannot_be_shown_there_is_an_empty_square(tmp_path, name):
    Image.new("RGB", (400, 300)).save(tmp_path / "torn.png")
    whole = (tmp_path / "torn.png").read_bytes()
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (1, 1)).save(tmp_path / "vast.bmp")
    vast = bytearray((tmp_path / "vast.bmp").read_bytes())
    vast[18:26] = struct.pack("<ii", 60_000, 60_000)  # its width and height
    (tmp_path / "vast.bmp").write_bytes(vast)
    shown = predict_sheet._small_copy(str(tmp_path / name))
    assert shown.size == (128, 128) and shown.getcolors() == [(128 * 128, (0xEE, 0xEE, 0xEE))]


def test_what_was_refused_unread_is_not_read_for_the_sheet(tmp_path, monkeypatch):
    Image.new("RGB", (400, 300)).save(tmp_path / "large.png")
    monkeypatch.setattr(predict_model, "_LARGEST_FILE", 10)
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("large.png", "pipe.png"):
        shown = predict_sheet._small_copy(str(tmp_path / name))
        assert shown.getcolors() == [(128 * 128, (0xEE, 0xEE, 0xEE))], name


@pytest.mark.parametrize("name", ["a.png", "a.PNG"])
def test_a_picture_is_drawn_into_a_file_that_says_so(name, tmp_path):
    check_png(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="name a file"):
        check_png(tmp_path / name)
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


def test_behind_a_damaged_picture_the_pairs_of_a_sheet_stay_pairs(tmp_path, monkeypatch):
    titles, drawn = [], []
    monkeypatch.setattr(
        contact_sheet, "draw", lambda title, parts, _: (titles.append(title), drawn.extend(parts))
    )
    monkeypatch.setattr("components.contact_sheet.write", lambda *_: None)
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    sheet = Sheet(["cat", "dog"], explained=True)
    probabilities = np.array([0.9, 0.1], np.float32)
    sheet.add(Answer(str(tmp_path / "b.png"), error="damaged PNG"))
    sheet.add(Answer(str(tmp_path / "a.png"), probabilities, heat_map=np.ones((3, 3))))
    sheet.write(tmp_path / "s.png", "m")
    captions = [tile.captions for tile in drawn[0].tiles]
    assert titles == ["m: 2 pictures"], "though there are four tiles"
    assert captions == [("damaged PNG", "b.png"), (), ("cat 0.900", "a.png"), ("→ cat",)]


def test_a_row_of_a_sheet_has_ten_places(tmp_path, monkeypatch):
    columns = []
    monkeypatch.setattr(contact_sheet, "draw", lambda *given: columns.append(given[2]))
    monkeypatch.setattr(contact_sheet, "write", lambda *_: None)
    sheet = Sheet(["cat", "dog"], explained=False)
    sheet.add(answer(0.9, 0.1, path=str(tmp_path / "gone.png")))
    sheet.write(tmp_path / "s.png", "m")
    assert columns == [10]
