"""`graft validate`."""

import tempfile
from pathlib import Path

import yaml
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from components.example_gen.sources import Source, list_unlabelled, open_source
from components.trainer.network.initial_weights import check_weights_file
from components.trainer.targets.teacher_files import check_teacher
from pipeline.config import load_recipe


def validate_recipe(config: str, overrides: list[str]) -> None:
    """Prints a recipe with all its defaults filled in, and the classes and pictures of its source.

    Raises:
        UserError: the recipe or its source cannot be used.
    """
    recipe = load_recipe(config, overrides)
    check_weights_file(recipe.backbone)
    console = Console()
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory() as scratch:
        source = open_source(recipe.data.source, Path(scratch))
    unlabelled = recipe.pseudo_labels and list_unlabelled(recipe.pseudo_labels.source)
    if recipe.distillation:
        check_teacher(recipe.distillation, source.classes)
    console.print(_source_table(recipe.data.source, source))
    aside = (
        f"; {source.ignored:,} other file(s) are no pictures and left alone"
        if source.ignored
        else ""
    )
    console.print(
        f"{len(source.items):,} files, {decimal(source.total_bytes)}{aside}", highlight=False
    )
    if unlabelled:
        text = f"{len(unlabelled.items):,} files without labels in {recipe.pseudo_labels.source}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _source_table(name: str, source: Source) -> Table:
    """Files per class, in each of the splits that the source brings along."""
    counts = source.counts()
    columns = [split or "pictures" for split in counts]
    table = Table("class", title=f"Data source {escape(name)}", title_justify="left")
    for column in columns:
        table.add_column(column, justify="right")
    for label in source.classes:
        table.add_row(escape(label), *(f"{of_class[label]:,}" for of_class in counts.values()))
    return table
