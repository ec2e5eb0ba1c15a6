"""Sheets of pictures with captions, looked at pixel by pixel."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from components import contact_sheet
from components.contact_sheet import Section, Tile

pytestmark = pytest.mark.one_line

RED, BLUE = (250, 10, 10), (10, 10, 250)


def has(sheet: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    """Where a sheet has a colour, bool [height, width]."""
    return (np.asarray(sheet) == colour).all(axis=-1)


def tiles(number: int, *captions: str) -> list[Tile]:
    return [Tile(Image.new("RGB", (40, 20), RED), captions) for _ in range(number)]


def test_pictures_keep_their_shape_and_stand_in_rows():
    sheet = contact_sheet.draw("title", [Section("heading", tiles(5))], columns=2)
    rows, columns = np.nonzero(has(sheet, RED))
    assert len(rows) == 5 * 128 * 64, "each twice as wide as high"
    starts = [
        sorted({int(v) for v in np.unique(where) if v - 1 not in where})
        for where in (rows, columns)
    ]
    assert [len(one) for one in starts] == [3, 2], "three rows of two columns"


def test_small_pictures_keep_their_pixels():
    board = np.zeros((2, 2, 3), np.uint8)
    board[0, 0] = board[1, 1] = RED
    board[0, 1] = board[1, 0] = BLUE
    sheet = contact_sheet.draw("", [Section("", [Tile(Image.fromarray(board))])], columns=1)
    assert has(sheet, RED).sum() == has(sheet, BLUE).sum() == 128 * 128 / 2


def test_large_pictures_are_smoothed_also_long_ones():
    board = Image.fromarray((np.indices((64, 512)).sum(axis=0) % 2 * 255).astype(np.uint8))
    sheet = contact_sheet.draw("", [Section("", [Tile(board.convert("RGB"))])], columns=1)
    picture = np.asarray(sheet, int)[110:122, 20:140]
    assert np.abs(picture - 127).max() < 30, "grey, and no pixels that happen to be met"


def test_more_captions_make_a_sheet_higher_and_long_ones_none_wider():
    plain = contact_sheet.draw("", [Section("", tiles(1))], columns=1)
    named = contact_sheet.draw("", [Section("", tiles(1, "a", "b" * 400))], columns=1)
    assert named.width == plain.width
    assert named.height > plain.height
    margin = has(named, (255, 255, 255))[:, -14:]
    assert margin.all(), "nothing is written over the margin"


@pytest.mark.parametrize("text", ["<b>&amp;", "\x1b[31mred\n", "犬 🐶 كلب", "", "\u202egnp.exe"])
def test_any_text_can_be_drawn(text):
    sheet = contact_sheet.draw(text, [Section(text, tiles(2, text))], columns=2)
    assert has(sheet, RED).any()


def test_captions_have_up_to_three_lines_between_their_words():
    caption = "1  american_pit_bull_terrier → Staffordshire bull terrier?"
    lines = [text for text, _ in Tile(Image.new("RGB", (9, 9)), (caption, "b" * 400)).lines]
    assert "".join(lines[:3]) == caption and "".join(lines[3:]) == "b" * 400
    assert lines[0].endswith("_") and lines[1].endswith(" ") and len(lines) == 6
    lines = [text for text, _ in Tile(Image.new("RGB", (9, 9)), ("a\nb\x1b", "c")).lines]
    assert lines == [r"a\nb\x1b", "c"]
    sheet = contact_sheet.draw("", [Section("", tiles(1, "a", caption))], columns=1)
    assert sheet.height - contact_sheet.draw("", [Section("", tiles(1))], columns=1).height == 60


def test_a_line_that_is_too_wide_keeps_its_end():
    """Of a path that says the most."""
    written = []
    pen = SimpleNamespace(
        textlength=lambda shown, font: len(shown),
        text=lambda at, shown, *_: written.append(shown),
    )
    for width in (12, 13, 27, 0):
        contact_sheet._write(pen, (0, 0), "cats/many/pictures/0001.jpg", 11, width)
    whole = "cats/many/pictures/0001.jpg"
    assert written == ["ca…/0001.jpg", "cat…/0001.jpg", whole, "…g"]


def test_a_marked_picture_has_a_frame():
    plain = contact_sheet.draw("", [Section("", [Tile(Image.new("RGB", (9, 9), BLUE))])])
    marked = contact_sheet.draw("", [Section("", [Tile(Image.new("RGB", (9, 9), BLUE), (), True)])])
    frame = (198, 40, 40)
    assert not has(plain, frame).any() and has(marked, frame).sum() == 128**2 - 122**2


def test_rows_leave_room_for_all_lines_of_captions():
    tall = [Tile(Image.new("RGB", (20, 40), RED), ("a", "b", "c")) for _ in range(2)]
    sheet = contact_sheet.draw("", [Section("", tall)], columns=1)
    rows = np.flatnonzero(has(sheet, RED).any(axis=1))
    first, second = rows[:128], rows[128:]
    assert len(rows) == 2 * 128 and second[0] - first[-1] > 3 * 15, "three lines are between them"


def test_no_line_runs_into_another_nor_into_a_picture_nor_over_the_margin():
    text, red = "x" * 60, Image.new("RGB", (9, 9), RED)
    first = [Tile(red, (text,)), Tile(red, (text, text)), Tile(red)]
    sections = [Section(text, first), Section("", []), Section(text, [Tile(red)])]
    sheet = contact_sheet.draw(text, sections, columns=2)
    ground, pictures = has(sheet, (255, 255, 255)), has(sheet, RED)
    rows = zip((~ground & ~pictures).any(axis=1), pictures.any(axis=1), strict=True)
    kinds = ["both" if line and row else "line" if line else "pictures" if row else ""
             for line, row in rows]  # fmt: skip
    seen = [kind for kind, _ in itertools.groupby(kinds) if kind]
    row_of_two = ["pictures", *["line"] * 6]
    assert seen == ["line", "line", *row_of_two, "pictures", "line", "pictures"]
    assert ground[:16].all() and ground[-16:].all()
    assert ground[:, :16].all() and ground[:, -16:].all()


def test_a_sheet_without_pictures_is_a_title():
    assert contact_sheet.draw("none", []).height < 100


def test_a_sheet_is_written_whole_into_a_new_folder(tmp_path):
    path = tmp_path / "new" / "too" / "sheet.png"
    contact_sheet.write(contact_sheet.draw("an earlier one", []), path)
    sheet = contact_sheet.draw("title", [Section("", tiles(1))])
    earlier = path.read_bytes()
    with path.open("rb") as reader:
        contact_sheet.write(sheet, path)
        assert reader.read() == earlier, "whoever reads it meanwhile has the whole earlier one"
    with Image.open(path) as read:
        assert read.format == "PNG" and np.array_equal(np.asarray(read), np.asarray(sheet))
    assert [file.name for file in path.parent.iterdir()] == ["sheet.png"]


def test_sections_stand_one_below_the_other():
    blue = [Tile(Image.new("RGB", (40, 20), BLUE))]
    sheet = contact_sheet.draw("", [Section("first", tiles(4)), Section("", blue)], columns=2)
    red, lower = (np.flatnonzero(has(sheet, colour).any(axis=1)) for colour in (RED, BLUE))
    assert red.max() < lower.min() < sheet.height
    assert has(sheet, RED).sum() == 4 * 128 * 64 and has(sheet, BLUE).sum() == 128 * 64
    heights = [
        contact_sheet.draw("", [Section("", tiles(number))], columns=2).height
        for number in range(1, 7)
    ]
    assert np.diff(heights).tolist() == [0, 138, 0, 138, 0], "a row is begun where one is full"
    one, ten, eleven = (
        contact_sheet.draw("", [Section("", tiles(number))]).height for number in (1, 10, 11)
    )
    assert one == ten < eleven, "ten in a row, where nothing else is asked for"


def test_of_a_marked_picture_the_first_line_alone_is_red():
    tile = Tile(Image.new("RGB", (9, 9), BLUE), ("wrong", "plain"), True)
    sheet = contact_sheet.draw("", [Section("", [tile])])
    captions = np.asarray(sheet)[52 + 128 :]  # below the picture and its frame
    assert (captions == (198, 40, 40)).all(axis=-1).any()
    assert (captions == (34, 34, 34)).all(axis=-1).any()
