"""The contact sheet of `graft predict`: pictures with what the model says, and where it looked."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from components import contact_sheet
from components.contact_sheet import SIDE, Section, Tile
from components.heat_maps import overlay
from components.pillow_pictures import small_copy
from pipeline.commands.predict_model import Answer, read_file
from pipeline.commands.predict_output import in_set, ranked

# A sheet of more is a file that viewers open slowly or not at all.
_MOST = 600
_COLUMNS = 10


class Sheet:
    """Collects small copies of pictures while they are answered."""

    def __init__(self, classes: Sequence[str], explained: bool):
        """Begins a sheet.

        Args:
            classes: names, by column of the probabilities.
            explained: whether a heat map stands beside each picture.
        """
        self._classes, self._explained = classes, explained
        self._tiles: list[Tile] = []
        self._pictures = 0

    def add(self, answer: Answer) -> None:
        """Takes a picture in, unless the sheet is full."""
        self._pictures += 1
        if self._pictures > _MOST:
            return
        picture = _small_copy(answer.path)
        name = Path(answer.path).name
        if answer.error:
            self._tiles.append(Tile(picture, (answer.error, name), marked=True))
            if self._explained:
                self._tiles.append(Tile(_blank()))
            return
        label, probability = ranked(answer, self._classes)[0]
        said = [f"{label} {probability:.3f}", name]
        if answer.unsure:
            among = f": {', '.join(in_set(answer, self._classes))}" if _has_set(answer) else ""
            said.insert(1, f"unsure{among}")
        self._tiles.append(Tile(picture, tuple(said), marked=bool(answer.unsure)))
        if self._explained:
            self._tiles.append(Tile(overlay(picture, answer.heat_map), (f"→ {label}",)))

    def write(self, path: Path, model: str) -> None:
        """Draws the sheet into a PNG file.

        Args:
            path: of the file.
            model: what was asked, for the title.
        """
        shown = min(self._pictures, _MOST)
        title = f"{model}: " + (
            f"{shown:,} of {self._pictures:,} pictures"
            if shown < self._pictures
            else f"{shown:,} picture{'s' * (shown != 1)}"
        )
        sheet = contact_sheet.draw(title, [Section("", self._tiles)], _COLUMNS)
        contact_sheet.write(sheet, path)


def _has_set(answer: Answer) -> bool:
    return answer.label_set is not None and bool(answer.label_set.any())


def _small_copy(path: str) -> Image.Image:
    """The picture as a viewer shows it, or nothing where Pillow cannot tell or none was read."""
    try:
        return small_copy(read_file(path).data, SIDE)
    except Exception:  # nearly anything, on damaged files
        return _blank()


def _blank() -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE), "#eeeeee")
