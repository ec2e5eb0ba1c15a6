"""Contact sheets: pictures with captions, in rows under headings, as one picture."""

import dataclasses
import functools
import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont, ImageOps

from components.files import atomic_file
from components.text import printable

SIDE = 128
"""Pixels; of a picture no more is shown."""

# Pixels.
_GAP, _MARGIN = 10, 16
_CAPTION, _HEADING, _TITLE = 11, 15, 20
_LINE = 15
_MOST_LINES = 3
_GROUND, _INK, _MARK, _EMPTY = "white", "#222222", "#c62828", "#eeeeee"


@dataclasses.dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    Attributes:
        picture: small, as many may be held at once; any size is fitted in.
        captions: below it; each has at most three lines, of which the last loses its middle where
            that is too few.
        marked: whether it has a red frame, and its first caption red ink.
    """

    picture: Image.Image
    captions: tuple[str, ...] = ()
    marked: bool = False

    @functools.cached_property
    def lines(self) -> list[tuple[str, str]]:
        """Text and colour of the lines below it."""
        first = _MARK if self.marked else _INK
        return [
            (line, _INK if number else first)
            for number, caption in enumerate(self.captions)
            for line in _wrapped(caption)
        ]


@dataclasses.dataclass(frozen=True)
class Section:
    """Pictures under a heading.

    Attributes:
        heading: one line; empty: none.
        tiles: row by row.
    """

    heading: str
    tiles: Sequence[Tile]


def draw(title: str, sections: Sequence[Section], columns: int = 10) -> Image.Image:
    """Draws a sheet.

    Args:
        title: one line at the top.
        sections: from top to bottom.
        columns: pictures in a row.

    Returns:
        An RGB picture.
    """
    heights = [_height(section, columns) for section in sections]
    width = 2 * _MARGIN + columns * (SIDE + _GAP) - _GAP
    top = 2 * _MARGIN + _TITLE
    sheet = Image.new("RGB", (width, top + sum(heights) + _MARGIN), _GROUND)
    pen = ImageDraw.Draw(sheet)
    _write(pen, (_MARGIN, _MARGIN), title, _TITLE, width - 2 * _MARGIN)
    for section, height in zip(sections, heights, strict=True):
        _draw_section(sheet, pen, section, top, columns)
        top += height
    return sheet


def write(sheet: Image.Image, path: str | os.PathLike) -> None:
    """Writes a sheet as a PNG file that is there whole or not at all.

    Args:
        sheet: from `draw`.
        path: its folder is made if need be.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        sheet.save(file, "PNG")


def _lines(section: Section) -> int:
    """Lines of text below each picture."""
    return max((len(tile.lines) for tile in section.tiles), default=0)


def _row_height(section: Section) -> int:
    return SIDE + _lines(section) * _LINE + _GAP


def _heading_height(section: Section) -> int:
    return _HEADING + _GAP if section.heading else 0


def _height(section: Section, columns: int) -> int:
    rows = -(-len(section.tiles) // columns)
    return _heading_height(section) + rows * _row_height(section) + _GAP


def _draw_section(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, section: Section, top: int, columns: int
) -> None:
    _write(pen, (_MARGIN, top), section.heading, _HEADING, sheet.width - 2 * _MARGIN)
    top += _heading_height(section)
    for number, tile in enumerate(section.tiles):
        row, column = divmod(number, columns)
        x, y = _MARGIN + column * (SIDE + _GAP), top + row * _row_height(section)
        _draw_tile(sheet, pen, tile, x, y)


def _draw_tile(sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, x: int, y: int) -> None:
    # Pixels of small pictures stay pixels: blurred they would look like what they are not.
    small = max(tile.picture.size) < SIDE
    method = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    picture = ImageOps.contain(tile.picture, (SIDE, SIDE), method)
    box = (x, y, x + SIDE - 1, y + SIDE - 1)
    pen.rectangle(box, fill=_EMPTY)
    sheet.paste(picture, (x + (SIDE - picture.width) // 2, y + (SIDE - picture.height) // 2))
    if tile.marked:
        pen.rectangle(box, outline=_MARK, width=3)
    for line, (text, colour) in enumerate(tile.lines):
        _write(pen, (x, y + SIDE + 2 + line * _LINE), text, _CAPTION, SIDE, colour)


def _wrapped(caption: str) -> list[str]:
    """Its lines below a picture; the last may be too wide."""
    lines, rest, font = [], printable(caption), _font(_CAPTION)
    while len(lines) + 1 < _MOST_LINES and font.getlength(rest) > SIDE:
        kept = len(rest)
        while font.getlength(rest[:kept]) > SIDE:
            kept -= 1
        # Between words, or the parts of a path or name, if there are any.
        kept = max(rest.rfind(end, 0, kept) for end in " /_-") + 1 or kept
        lines.append(rest[:kept])
        rest = rest[kept:]
    return [*lines, rest]


def _write(
    pen: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    size: int,
    width: int,
    colour: str = _INK,
) -> None:
    """Writes one line, which loses its middle where it is wider than `width` pixels."""
    font = _font(size)
    text = shown = printable(text)
    kept = len(text)
    while pen.textlength(shown, font) > width and kept > 1:
        kept -= 1
        # Of a path the end says the most.
        head = kept // 4
        shown = f"{text[:head]}…{text[len(text) - (kept - head) :]}"
    pen.text(at, shown, colour, font)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib: Latin, Greek, Cyrillic, Arabic and more."""
    return ImageFont.truetype(
        Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size
    )
