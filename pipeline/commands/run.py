"""`graft run`."""

from datetime import datetime, timezone

from rich.console import Console

from pipeline import preflight
from pipeline.commands.local_run import run_locally
from pipeline.commands.register import register_pushed
from pipeline.commands.report import report_last
from pipeline.config import load_recipe
from pipeline.console import RunDisplay, say, show_result
from pipeline.preflight import Inspection


def run_recipe(config: str, overrides: list[str], verbose: bool, wait: bool) -> int:
    """Runs a recipe and shows how it goes.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        verbose: leaves the log on the terminal.
        wait: until another run of this recipe has ended.

    Returns:
        The exit code: 0 when no gate failed and the model is served, 70 after a bug of Graft,
        otherwise 1.

    Raises:
        UserError: the recipe cannot be run; nothing has been done.
    """
    recipe = load_recipe(config, overrides)
    begun = datetime.now(timezone.utc)

    def work(console: Console, found: Inspection, display: RunDisplay) -> int:
        from pipeline.local_runner import run_local

        nonlocal begun
        begun = datetime.now(timezone.utc)
        line, notes = preflight.foresee(recipe, found.source)
        say(console, line)
        for note in notes:
            say(console, f"Note: {note}", style="yellow")
        result = run_local(recipe, display, found)
        show_result(console, result, recipe.push_destination)
        if result.pushed_path and (line := register_pushed(recipe, result.pushed_path)):
            say(console, line)
        return 0 if result.succeeded else 1

    title = f"{recipe.name}: {recipe.data.source} on {_network(recipe)}"
    code = run_locally(recipe, title, work, verbose=verbose, wait=wait)
    report_last(recipe, config, overrides, begun)
    return code


def _network(recipe) -> str:
    backbone = recipe.backbone
    name, size = f"{backbone.name} alpha {backbone.alpha:g}", f"{backbone.image_size} px"
    return f"{name} at {size}, weights {backbone.weights}"
