"""`graft lr-find`."""

import time
from pathlib import Path

from rich.console import Console

from components import features
from components.errors import UserError
from pipeline.commands.dataset import read_dataset
from pipeline.commands.local_run import run_locally
from pipeline.commands.png_output import check_png
from pipeline.config import Recipe, load_recipe
from pipeline.console import say
from pipeline.preflight import Inspection
from pipeline.run_display import Display
from pipeline.run_result import NodeReport


def find_rate(
    config: str,
    overrides: list[str],
    phase: str | None,
    output: Path | None,
    verbose: bool,
    wait: bool,
) -> int:
    """Runs the learning rate range test of a phase, prints what it suggests, draws the curve.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        phase: name of one of the recipe's phases; None: the first that has a rate.
        output: the PNG file; None: in the recipe's folder.
        verbose: leaves the log on the terminal.
        wait: until another run of this recipe has ended.

    Returns:
        The exit code: 0, 1 when a node failed or the loss fell at no rate, 70 after a bug of Graft.

    Raises:
        UserError: the recipe has no such phase or cannot be used.
    """
    recipe = load_recipe(config, overrides)
    phase = phase or first_with_a_rate(recipe)
    check_phase(recipe, phase)
    picture = output or recipe.folder / f"lr-{phase}.png"
    check_png(picture)

    def work(console: Console, found: Inspection, display: Display) -> int:
        from components.trainer import lr_finder, lr_plot

        curve = _test(recipe, phase, display, found)
        suggestion = lr_finder.suggest(curve)
        # First, so that a picture that cannot be written does not cost what the test has found.
        say(console, advice(suggestion, recipe.training.key(phase)))
        lr_plot.draw(curve, suggestion, f"{recipe.name}, {phase} phase", picture)
        say(console, f"Curve: {picture}")
        return 0 if suggestion else 1

    return run_locally(recipe, f"{recipe.name}, {phase} phase", work, verbose=verbose, wait=wait)


def _test(recipe: Recipe, phase: str, display: Display, found: Inspection):
    """Makes or finds the examples and the transform graph, and runs the test on them."""
    from components.trainer import lr_finder

    dataset = read_dataset(recipe, display, found)
    display.node_started("Range test")
    start = time.monotonic()
    train_files = f"{dataset.folder}/Split-{features.TRAIN}/*"
    curve = lr_finder.phase_curve(recipe.trainer, phase, dataset.transform_graph, train_files)
    seconds = time.monotonic() - start
    display.node_finished(NodeReport("Range test", seconds, False, describe(curve)))
    return curve


def first_with_a_rate(recipe: Recipe) -> str:
    """The first phase whose head is not solved; the first of all where there is none."""
    phases = recipe.training.phases
    return next((name for name, phase in phases.items() if not phase.is_solved), next(iter(phases)))


def check_phase(recipe: Recipe, phase: str) -> None:
    """Finds a phase that the recipe leaves out or does not know, or that has no rate.

    Raises:
        UserError: there is no phase of that name, it has no epochs, or its head is solved.
    """
    training = recipe.training
    if phase in training.phases:
        if training.phases[phase].is_solved:
            raise UserError(
                f"--phase {phase}: {training.key(phase)}.optimizer is "
                f"{training.phases[phase].optimizer}, which has no learning rate"
            )
        return
    if phase in training.names:
        raise UserError(
            f"--phase {phase}: {training.key(phase)}.epochs is 0, so {recipe.name} has no such "
            "phase"
        )
    raise UserError(
        f"--phase {phase}: {recipe.name} has no such phase; it has {', '.join(training.phases)}"
    )


def describe(curve) -> str:
    """The range that was tested, in a few words."""
    return f"{len(curve.rates)} rates, {curve.rates[0]:.0e} to {curve.rates[-1]:.1e}"


def advice(suggestion, key: str) -> str:
    """What to do with the rates, in a sentence or two.

    Args:
        suggestion: of `lr_finder.suggest`.
        key: where the recipe holds the phase's settings.
    """
    key = f"{key}.learning_rate"
    if suggestion is None:
        return (
            f"The loss fell at no rate, so there is no {key} to suggest. Look at the curve, and at "
            "whether the pictures are in the folders of their classes"
        )
    steepest, safe = f"{suggestion.steepest:.1e}", f"{suggestion.safe:.1e}"
    return (
        f"Set {key} to {steepest}, where the loss falls fastest, or to {safe}, a tenth of the rate "
        f"at which it is lowest: --set {key}={steepest}"
    )
