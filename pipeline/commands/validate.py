"""`graft validate`."""

import os
import tempfile
from pathlib import Path

from rich.filesize import decimal
from rich.table import Table

from components.example_gen.reading import layout
from components.example_gen.reading.source import Source
from components.features import column_feature
from components.trainer import checks
from pipeline import preflight
from pipeline.commands.local_run import inspect
from pipeline.config import load_recipe
from pipeline.console import make_console, plain, redirect_output, say
from pipeline.yaml_documents import write_documents


def validate_recipe(config: str, overrides: list[str]) -> None:
    """Prints a recipe with all its defaults filled in, and the classes and pictures of its source.

    Raises:
        UserError: the recipe or something that it names cannot be used.
    """
    recipe = load_recipe(config, overrides)
    with tempfile.TemporaryDirectory() as scratch:
        found = inspect(recipe, Path(scratch))
    with redirect_output(Path(os.devnull)):
        preflight.check_network(recipe)
    console = make_console()
    say(console, write_documents([recipe.model_dump(mode="json")], sort_keys=False))
    source = found.source
    console.print(_source_table(recipe.data.source, source))
    aside = (
        f"; {source.ignored:,} other file(s) are no pictures and left alone"
        if source.ignored
        else ""
    )
    say(console, f"{len(source.items):,} files, {decimal(source.total_bytes)}{aside}")
    if source.columns:
        names = ", ".join(f"{name} as {column_feature(name)}" for name in source.columns)
        say(console, f"Further columns, as features of the examples: {names}")
    if source.repeated:
        say(console, f"{source.repeated:,} row(s) say again what an earlier one said")
    if source.missing:
        first = source.missing[0].path
        text = f"{len(source.missing):,} file(s) are not there and will be set aside, as {first}"
        say(console, f"Note: {text}", style="yellow")
    if converted := layout.count_converted(item.path for item in source.items):
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in converted.items())
        text = f"{kinds}: they become PNG for training, and a served model refuses such files"
        say(console, f"Note: {text}", style="yellow")
    line, notes = preflight.foresee(recipe, source)
    say(console, line)
    for note in notes:
        say(console, f"Note: {note}", style="yellow")
    for notice in checks.security_notices(recipe.trainer):
        say(console, f"Note: {notice}", style="yellow")
    if found.unlabelled:
        count = len(found.unlabelled.items)
        say(console, f"{count:,} files without labels in {recipe.pseudo_labels.source}")


def _source_table(name: str, source: Source) -> Table:
    """Files per class, in each of the splits that the source brings along."""
    counts = source.counts()
    columns = [split or "pictures" for split in counts]
    table = Table("class", title=f"Data source {plain(name)}", title_justify="left")
    for column in columns:
        table.add_column(column, justify="right")
    for label in source.classes:
        table.add_row(plain(label), *(f"{of_class[label]:,}" for of_class in counts.values()))
    return table
