"""`graft predict`."""

from pathlib import Path

from rich.table import Table

from components import features, served_versions
from components.errors import UserError
from components.graph_check import require_computing
from components.text import one_line
from pipeline.config import load_recipe
from pipeline.console import plain, redirect_output


def predict_pictures(
    images: list[Path],
    config: str,
    overrides: list[str],
    model: Path | None,
    verbose: bool,
) -> int:
    """Asks a served model about pictures, as its clients do, and prints what it says.

    Args:
        images: encoded pictures.
        config: the recipe whose served model answers, unless `model` is given.
        overrides: `key=value`, see `load_recipe`.
        model: a SavedModel folder.
        verbose: leaves TensorFlow's log on the terminal.

    Returns:
        The exit code: 0, or 1 when a picture could not be classified.

    Raises:
        UserError: there is no model to ask, or it cannot be loaded.
    """
    path = model or _champion(config, overrides)
    if not (path / served_versions.SAVED_MODEL_FILE).is_file():
        raise UserError(f"--model: {path} holds no {served_versions.SAVED_MODEL_FILE}")
    with redirect_output(None if verbose else Path("/dev/null")) as console:
        import tensorflow as tf

        require_computing("--model", path)
        try:
            serve = tf.saved_model.load(str(path)).signatures[features.SERVING_SIGNATURE]
        except (OSError, KeyError, tf.errors.OpError) as error:
            raise UserError(
                f"{path} is damaged, or no model of Graft: TensorFlow cannot load it "
                f"({one_line(error)})"
            ) from error
        table = Table(title=f"Model: {plain(path)}", title_justify="left")
        table.add_column("picture", overflow="fold")
        for column in ("class", "probability", "next"):
            table.add_column(column)
        failed = 0
        for image in images:
            try:
                answer = serve(tf.constant([image.read_bytes()]))
            except (OSError, tf.errors.InvalidArgumentError) as error:
                failed += 1
                why = (
                    error.strerror
                    if isinstance(error, OSError)
                    else "not a picture that TensorFlow can decode"
                )
                table.add_row(plain(image), f"[red]{why}[/]", "", "")
                continue
            table.add_row(plain(image), *_columns(answer))
        console.print(table)
        if failed:
            console.print(
                f"[red]{failed} of {len(images)} could not be classified[/]", highlight=False
            )
    return 1 if failed else 0


def _champion(config: str, overrides: list[str]) -> Path:
    recipe = load_recipe(config, overrides)
    champion = served_versions.champion(recipe.push_destination)
    if champion is None:
        raise UserError(
            f"nothing is served at {recipe.push_destination} yet: `graft run {config}` first, "
            "or name another recipe with --recipe or a model with --model"
        )
    return champion.path


def _columns(answer) -> tuple[str, str, str]:
    """The best class, its probability, and the runner-up, of the answer for one picture."""
    classes = [name.decode() for name in answer[features.CLASSES].numpy()[0]]
    ranked = sorted(
        zip(answer[features.PROBABILITIES].numpy()[0], classes, strict=True), reverse=True
    )
    (best, name), (second, next_name) = ranked[:2]
    return plain(name), f"{best:.3f}", f"{plain(next_name)} {second:.3f}"
