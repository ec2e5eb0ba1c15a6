"""Draws the curve of a learning rate range test."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from components.trainer.lr_finder import Curve, Suggestion

_SMOOTHED = "smoothed, relative to the loss before the first step"


def draw(curve: Curve, suggestion: Suggestion | None, title: str, path: Path) -> None:
    """Draws the loss over the rate, with the suggested rates marked.

    Args:
        curve: what the range test measured.
        suggestion: of `lr_finder.suggest`.
        title: what was tested.
        path: the PNG file to write.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    smoothed = curve.smoothed
    axes.semilogx(
        curve.rates, curve.losses, ".", color="0.7", markersize=5, label="loss of one batch"
    )
    axes.semilogx(curve.rates, smoothed, color="tab:blue", linewidth=2, label=_SMOOTHED)
    if suggestion:
        for rate, colour, style, label in (
            (suggestion.steepest, "tab:green", "-", "where it falls fastest"),
            (suggestion.safe, "tab:orange", "--", "a tenth of where it is lowest"),
        ):
            axes.axvline(rate, color=colour, linestyle=style, label=f"{rate:.1e}, {label}")
    # Where it diverged, single batches would squeeze the rest of the curve flat.
    axes.set_ylim(0, 1.4 * max(smoothed))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss")
    axes.set_title(f"Learning rate range test: {title}")
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
