"""`graft run`."""

from rich.markup import escape

from components import progress
from pipeline.config import load_recipe
from pipeline.console import RunDisplay, log_path, redirect_output, show_result


def run_recipe(config: str, overrides: list[str], verbose: bool) -> int:
    """Runs a recipe and shows how it goes.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        verbose: leaves the log on the terminal.

    Returns:
        The exit code: 0 when no gate failed and the model is served, otherwise 1.

    Raises:
        UserError: the recipe cannot be run; nothing has been done.
    """
    recipe = load_recipe(config, overrides)
    log_file = None if verbose else log_path(recipe.folder)
    with redirect_output(log_file) as console:
        console.print(f"[bold]{recipe.name}[/]: {escape(recipe.data.source)} on {_network(recipe)}")
        if log_file:
            console.print(f"Log: {escape(str(log_file))}", soft_wrap=True, highlight=False)
        console.print("[dim]Starting TensorFlow and TFX …[/]")
        from pipeline.local_runner import RunError, run_local

        try:
            with RunDisplay(console) as display, progress.watched_by(display.step):
                result = run_local(recipe, display)
        except RunError as error:
            console.print(f"[red]✗[/] {escape(str(error))}", soft_wrap=True, highlight=False)
            if log_file:
                console.print(
                    f"The log has the details: {escape(str(log_file))}",
                    soft_wrap=True,
                    highlight=False,
                )
            return 1
        show_result(console, result, recipe.push_destination)
    return 0 if result.succeeded else 1


def _network(recipe) -> str:
    backbone = recipe.backbone
    name, size = f"{backbone.name} alpha {backbone.alpha:g}", f"{backbone.image_size} px"
    return f"{name} at {size}, weights {escape(backbone.weights)}"
