"""`graft data labels`."""

import csv
import io
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from components import features
from components.errors import UserError
from components.files import write_atomically
from components.text import printable
from pipeline.commands.dataset import Dataset, read_dataset
from pipeline.commands.local_run import run_locally
from pipeline.commands.png_output import check_png
from pipeline.config import Recipe, load_recipe
from pipeline.console import say
from pipeline.preflight import Inspection
from pipeline.run_display import Display
from pipeline.run_result import NodeReport
from pipeline.shell_lines import shell_line

COLUMNS = ("path", "given", "suggested", "score")
_NODE = "Labels"


def review_labels(
    config: str, overrides: list[str], top: int, output: Path | None, verbose: bool, wait: bool
) -> int:
    """Looks for wrong labels; draws the likeliest and lists all in a CSV file beside the picture.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        top: how many pictures to draw.
        output: the PNG file; None: in the recipe's folder.
        verbose: leaves the log on the terminal.
        wait: until another run of this recipe has ended.

    Returns:
        The exit code: 0, 1 when a node failed, 70 after a bug of Graft.

    Raises:
        UserError: the recipe cannot be used.
    """
    recipe = load_recipe(config, overrides)
    if recipe.backbone.from_scratch:
        raise UserError(
            "backbone.weights is `none`, and what a network of random weights makes of pictures "
            "tells nothing about their labels: --set backbone.weights=imagenet, or the path of a "
            "file"
        )
    sheet = output or recipe.folder / "labels.png"
    check_png(sheet)

    def work(console: Console, found: Inspection, display: Display) -> int:
        dataset = read_dataset(recipe, display, found)
        suspects = _search(dataset, recipe, display)
        table = sheet.with_suffix(".csv")
        sheet.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(table, to_csv(suspects))
        if not suspects:
            say(console, f"Every label is what it seems to be. {table} is empty")
            return 0
        _draw(
            suspects[:top],
            dataset.files(*features.SPLITS),
            f"{recipe.name}: labels that seem wrong",
            sheet,
        )
        add = shell_line("data", "relabel", str(table), "--recipe", config, overrides=overrides)
        say(console, advice(len(suspects), min(top, len(suspects)), sheet, table, add))
        return 0

    title = f"{recipe.name}: labels of {recipe.data.source}"
    return run_locally(recipe, title, work, verbose=verbose, wait=wait)


def _search(dataset: Dataset, recipe: Recipe, display: Display) -> list:
    """The suspects."""
    from components.trainer import wrong_labels

    display.node_started(_NODE)
    start = time.monotonic()
    pictures = dataset.pictures()
    groups = dict(zip(pictures[features.IMAGE_ID], pictures[features.GROUP], strict=True))
    files = dataset.files(*features.SPLITS)
    suspects = wrong_labels.find_suspects(recipe.trainer, dataset.transform_graph, files, groups)
    seconds = time.monotonic() - start
    summary = f"{len(suspects):,} of {len(pictures):,} pictures are taken for another class"
    display.node_finished(NodeReport(_NODE, seconds, False, summary))
    return suspects


def _draw(suspects: Sequence, files: list[str], title: str, path: Path) -> None:
    from components import contact_sheet
    from components.contact_sheet import SIDE, Section, Tile
    from components.pillow_pictures import small_copy
    from components.trainer.inputs.examples import encoded_picture, find_records

    records = find_records(files, {one.image_id for one in suspects})
    tiles = [
        Tile(
            small_copy(encoded_picture(records[one.image_id]), SIDE),
            (
                f"{number}  {one.given} → {one.suggested}?",
                f"P({one.given}) = {one.score:.3f}",
                one.path,
            ),
        )
        for number, one in enumerate(suspects, 1)
    ]
    contact_sheet.write(contact_sheet.draw(title, [Section("", tiles)]), path)


def to_csv(suspects: Sequence) -> str:
    """A row per suspect, in their order."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in suspects:
        writer.writerow([one.path, one.given, one.suggested, f"{one.score:.6f}"])
    return file.getvalue()


def advice(found: int, drawn: int, sheet: Path, table: Path, add: str) -> str:
    """What to do with the suspects.

    Args:
        found: how many there are.
        drawn: how many are on the sheet.
        sheet: the picture.
        table: the CSV file.
        add: the command that takes it in.
    """
    return (
        f"Contact sheet of the first {drawn:,}: {sheet}\n"
        f"All {found:,}, the likeliest first: {table}\n"
        "Keep the rows of those that are wrong, correct `suggested` where it is wrong too, and "
        f"run: {printable(add)}"
    )
