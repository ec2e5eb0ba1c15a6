"""`graft data relabel`."""

import collections
import os
import tempfile
from pathlib import Path

from components.errors import UserError
from components.example_gen import fixes
from components.text import printable
from pipeline import preflight
from pipeline.config import load_recipe, recipe_names
from pipeline.console import make_console, redirect_output, say


def relabel(decisions: Path, config: str, overrides: list[str], output: Path | None) -> None:
    """Adds what a person decided about pictures to the recipe's overlay of fixes.

    Args:
        decisions: a CSV file, see `relabelling.read_decisions`.
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        output: the overlay; None: that of `data.fixes`, or a new one beside the recipe.

    Raises:
        UserError: the file or the recipe cannot be used; nothing was written.
    """
    recipe = load_recipe(config, overrides)
    overlay = output or Path(recipe.data.fixes or default_overlay(config))
    if overlay.absolute() == decisions.absolute():
        raise UserError(f"{printable(str(decisions))} would be written over: name another --output")
    before = fixes.read_fixes(str(overlay)) if overlay.exists() else {}
    preflight.announce_download(recipe.data)
    # TensorFlow and Beam speak when imported.
    with tempfile.TemporaryDirectory() as scratch, redirect_output(Path(os.devnull)):
        from components.example_gen import relabelling

        source = preflight.open_labelled(recipe, Path(scratch))
        decided = relabelling.read_decisions(str(decisions), source, recipe.data.source)
    overlay.parent.mkdir(parents=True, exist_ok=True)
    fixes.write_fixes(overlay, before | decided)
    console = make_console()
    say(console, describe(decided, before, overlay))
    if str(overlay) != recipe.data.fixes:
        say(console, f"Set data.fixes: {overlay} in the recipe, or --set data.fixes={overlay}")


def default_overlay(config: str) -> Path:
    """Where a recipe's overlay lies: beside its file, or here for one that comes with Graft."""
    if config in recipe_names():
        return Path(f"{config}.fixes.csv")
    return Path(config).with_suffix(".fixes.csv")


def describe(decided: dict, before: dict, overlay: Path) -> str:
    """What was added to the overlay, in a line."""
    actions = collections.Counter(fix.action for fix in decided.values())
    changed = sum(image_id in before for image_id in decided)
    again = f" ({changed:,} of these pictures were there already)" if changed else ""
    return (
        f"{overlay}: {actions[fixes.RELABEL]:,} to relabel and {actions[fixes.DROP]:,} to drop "
        f"were added{again}; it holds {len(before | decided):,}"
    )
