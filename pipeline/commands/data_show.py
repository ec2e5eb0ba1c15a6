"""`graft data show`."""

import json
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from components import features
from pipeline.commands.dataset import Dataset, read_dataset
from pipeline.commands.local_run import run_locally
from pipeline.commands.png_output import check_png
from pipeline.config import Recipe, load_recipe
from pipeline.console import plain, say
from pipeline.preflight import Inspection
from pipeline.run_display import Display
from pipeline.run_result import NodeReport

_NODE = "Contact sheet"
# Pictures in a row of the sheet, and the most classes, groups of copies, and rows of a table.
_COLUMNS, _CLASSES, _GROUPS, _ROWS = 10, 20, 10, 10


def show_data(
    config: str, overrides: list[str], output: Path | None, verbose: bool, wait: bool
) -> int:
    """Prints what a recipe's pictures are, and draws a contact sheet of them.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        output: the PNG file; None: in the recipe's folder.
        verbose: leaves the log on the terminal.
        wait: until another run of this recipe has ended.

    Returns:
        The exit code: 0, 1 when a node failed, 70 after a bug of Graft.

    Raises:
        UserError: the recipe cannot be used.
    """
    recipe = load_recipe(config, overrides)
    sheet = output or recipe.folder / "data.png"
    check_png(sheet)

    def work(console: Console, found: Inspection, display: Display) -> int:
        from components import contact_sheet
        from components.example_gen import overview

        dataset = read_dataset(recipe, display, found)
        display.node_started(_NODE)
        start = time.monotonic()
        pictures = dataset.pictures()
        ranges = overview.fact_ranges(pictures)
        copies = overview.duplicate_groups(pictures)
        title = f"{recipe.name}: {len(pictures):,} pictures of {recipe.data.source}"
        sections = _sections(recipe, dataset, pictures, ranges, copies)
        contact_sheet.write(contact_sheet.draw(title, sections, _COLUMNS), sheet)
        display.node_finished(NodeReport(_NODE, time.monotonic() - start, False, ""))
        console.print(class_table(pictures))
        for fact in ("format", "orientation"):
            kinds = overview.counts(pictures, fact).items()
            say(console, f"{fact}: {', '.join(f'{value} ({n:,})' for value, n in kinds)}")
        console.print(fact_table(pictures, ranges))
        _show_copies(console, pictures, copies)
        _show_quarantine(console, dataset.folder)
        say(console, f"Contact sheet: {sheet}")
        return 0

    title = f"{recipe.name}: {recipe.data.source}"
    return run_locally(recipe, title, work, verbose=verbose, wait=wait)


def class_table(pictures) -> Table:
    """Pictures by class and split."""
    table = Table("class", title="Pictures", title_justify="left")
    for name in (*features.SPLITS, "together"):
        table.add_column(name, justify="right")
    counts = pictures.groupby([features.LABEL, features.SPLIT]).size()
    for label in sorted(set(pictures[features.LABEL])):
        of_splits = [int(counts.get((label, split), 0)) for split in features.SPLITS]
        table.add_row(plain(label), *(f"{n:,}" for n in (*of_splits, sum(of_splits))))
    totals = [int((pictures[features.SPLIT] == split).sum()) for split in features.SPLITS]
    table.add_section()
    table.add_row("together", *(f"{n:,}" for n in (*totals, sum(totals))))
    return table


def fact_table(pictures, ranges) -> Table:
    """Range and outliers of every fact."""
    table = Table("fact", title="Facts", title_justify="left")
    for name in ("lowest", "median", "highest", "outliers"):
        table.add_column(name, justify="right")
    table.add_column("the farthest", overflow="fold")
    for one in ranges:
        farthest = ""
        if one.outliers:
            row = pictures.iloc[one.outliers[0]]
            farthest = f"{number(row[one.fact])}  {plain(row[features.PATH])}"
        numbers = map(number, (one.lowest, one.median, one.highest))
        table.add_row(one.fact, *numbers, f"{len(one.outliers):,}", farthest)
    return table


def number(value: float) -> str:
    """Three digits, and all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _show_copies(console: Console, pictures, copies: list[list[int]]) -> None:
    """The groups of copies, those that harm first."""
    if not copies:
        say(console, "No picture is a copy of another")
        return
    title = f"{len(copies):,} group(s) of copies"
    table = Table("path", "class", "split", title=title, title_justify="left")
    table.columns[0].overflow = "fold"
    for rows in copies[:_GROUPS]:
        for row in rows[:_ROWS]:
            one = pictures.iloc[row]
            table.add_row(*(plain(one[c]) for c in (features.PATH, features.LABEL, features.SPLIT)))
        if len(rows) > _ROWS:
            table.add_row(f"and {len(rows) - _ROWS:,} more", "", "")
        table.add_section()
    console.print(table)
    if len(copies) > _GROUPS:
        say(console, f"and {len(copies) - _GROUPS:,} more groups")


def _show_quarantine(console: Console, folder: Path) -> None:
    """The files that were set aside."""
    file = folder / features.QUARANTINE_FILE
    entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    if not entries:
        say(console, "No file was set aside")
        return
    title = f"{len(entries):,} file(s) set aside"
    table = Table("path", "reason", title=title, title_justify="left")
    table.columns[0].overflow = table.columns[1].overflow = "fold"
    for entry in entries[:_ROWS]:
        table.add_row(plain(entry["path"]), plain(entry["reason"]))
    console.print(table)
    if len(entries) > _ROWS:
        say(console, f"and {len(entries) - _ROWS:,} more: {file}")


def _sections(recipe: Recipe, dataset: Dataset, pictures, ranges, copies: list[list[int]]) -> list:
    """What is on the sheet: some pictures of each class, views, outliers, copies."""
    from components.contact_sheet import SIDE, Section, Tile
    from components.pillow_pictures import small_copy
    from components.trainer.inputs.examples import encoded_picture, find_records

    by_label = pictures.groupby(features.LABEL).indices  # sorted
    samples = {label: sample(rows) for label, rows in list(by_label.items())[:_CLASSES]}
    far = [(one.fact, row) for one in ranges for row in one.outliers[:2]]
    in_groups = [(rows, row) for rows in copies[:_GROUPS] for row in rows[:2]]
    augmented = int(np.flatnonzero(pictures[features.SPLIT] == features.TRAIN)[0])
    wanted = {augmented, *(row for _, row in far), *(row for _, row in in_groups)}
    wanted |= {row for rows in samples.values() for row in rows}
    ids = pictures[features.IMAGE_ID]
    records = find_records(dataset.files(*features.SPLITS), {ids[row] for row in wanted})

    def tile(row: int, caption: str, marked: bool = False) -> Tile:
        picture = small_copy(encoded_picture(records[ids[row]]), SIDE)
        return Tile(picture, (caption, pictures[features.PATH][row]), marked)

    splits, labels = pictures[features.SPLIT], pictures[features.LABEL]
    sections = [
        Section(
            f"{label} ({(labels == label).sum():,} pictures)",
            [tile(row, splits[row]) for row in rows],
        )
        for label, rows in samples.items()
    ]
    if len(by_label) > len(samples):
        sections.append(Section(f"and {len(by_label) - len(samples):,} more classes", []))
    sections.append(_views(recipe, dataset, records[ids[augmented]]))
    if far:
        facts = {row: [fact for fact, other in far if other == row] for _, row in far}
        tiles = [
            tile(row, ", ".join(f"{fact} {number(pictures[fact][row])}" for fact in of_row))
            for row, of_row in facts.items()
        ]
        sections.append(Section("Far from the rest", tiles))
    if in_groups:
        harmful = {rows[0]: len({*labels[rows]}) > 1 or len({*splits[rows]}) > 1 for rows in copies}
        tiles = [
            tile(row, f"{labels[row]}, {splits[row]}", harmful[rows[0]]) for rows, row in in_groups
        ]
        sections.append(
            Section("Copies, two of each group; red: in several classes or splits", tiles)
        )
    return sections


def sample(rows: np.ndarray, most: int = _COLUMNS) -> list[int]:
    """Some of the rows, evenly spread, the same every time."""
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)
    return rows[places].tolist()


def _views(recipe: Recipe, dataset: Dataset, record: bytes):
    """A picture as it is, and augmented, out of the Transform graph itself."""
    import tensorflow_transform as tft
    from PIL import Image

    from components.contact_sheet import Section, Tile
    from components.trainer.inputs.examples import ExampleReader
    from components.trainer.inputs.views import shown_views

    views = range(_COLUMNS) if recipe.augmentation.changes_pixels else range(1)
    reader = ExampleReader(tft.TFTransformOutput(dataset.transform_graph), 1)
    pixels = shown_views(reader, record, views, recipe.transform.value_range)
    tiles = [
        Tile(Image.fromarray(one), (f"view {view}" if view else "as it is served",))
        for view, one in zip(views, pixels, strict=True)
    ]
    size = recipe.backbone.image_size
    what = "One training picture and its views" if len(views) > 1 else "No augmentation"
    return Section(f"{what}, as the network gets them ({size} x {size} pixels)", tiles)
