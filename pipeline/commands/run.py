"""`graft run`."""

from datetime import datetime, timezone

from rich.console import Console

from pipeline import preflight
from pipeline.commands.local_run import run_locally
from pipeline.commands.register import register_pushed
from pipeline.commands.report import report_last
from pipeline.config import load_recipe
from pipeline.console import make_console
from pipeline.preflight import Inspection
from pipeline.run_display import Display, RunDisplay
from pipeline.run_events import RunEvents


def run_recipe(
    config: str, overrides: list[str], verbose: bool, wait: bool, as_json: bool = False
) -> int:
    """Runs a recipe and shows how it goes.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        verbose: leaves the log on the terminal, and shows every gate in a row of its own.
        wait: until another run of this recipe has ended.
        as_json: prints a JSON object per event, see `RunEvents`.

    Returns:
        The exit code: 0 when no gate failed and the model is served, 70 after a bug of Graft,
        otherwise 1.

    Raises:
        UserError: the recipe cannot be run; nothing has been done.
    """
    recipe = load_recipe(config, overrides)
    begun = datetime.now(timezone.utc)

    def make_display(console: Console) -> Display:
        return RunEvents(console) if as_json else RunDisplay(console, unfold=verbose)

    def work(console: Console, found: Inspection, display: Display) -> int:
        from pipeline.local_runner import run_local

        nonlocal begun
        begun = datetime.now(timezone.utc)
        line, notes = preflight.foresee(recipe, found.source)
        display.say(line)
        for note in notes:
            display.say(f"Note: {note}", style="yellow")
        result = run_local(recipe, display, found)
        display.run_ended(result, recipe.push_destination)
        if result.pushed_path and (line := register_pushed(recipe, result.pushed_path)):
            display.say(line)
        return 0 if result.succeeded else 1

    title = f"{recipe.name}: {recipe.data.source} on {_network(recipe)}"
    code = run_locally(recipe, title, work, verbose=verbose, wait=wait, make_display=make_display)
    report_last(recipe, config, overrides, begun, make_display(make_console()).say)
    return code


def _network(recipe) -> str:
    backbone = recipe.backbone
    name, size = f"{backbone.name} alpha {backbone.alpha:g}", f"{backbone.image_size} px"
    return f"{name} at {size}, weights {backbone.weights}"
