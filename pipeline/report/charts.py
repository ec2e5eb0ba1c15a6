"""Charts as SVG that goes into a page: its ink is that of the text around it.

No text of others gets into one: names of classes and phases stand in the page beside it.
"""

import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Stands for the ink while Matplotlib draws, and is no other colour's.
_INK = "#010203"
_RATE = "learning_rate"
_BLUE, _ORANGE = "#3b82c4", "#d9822b"
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "graft",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "axes.titlecolor": _INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "text.parse_math": False,
}


def curves(history: Mapping[str, Sequence[float]], best_epoch: int) -> Markup:
    """Loss, accuracy and rate of each epoch of a phase; the best epoch is marked.

    Args:
        history: see `components.trainer.training_report.PhaseResult`.
        best_epoch: index of the epoch whose weights were kept.
    """
    shown = ("loss", "accuracy", *([_RATE] if _RATE in history else ()))
    return Markup().join(_curve(history, best_epoch, name) for name in shown)


def _curve(history: Mapping[str, Sequence[float]], best_epoch: int, name: str) -> Markup:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(3.6, 2.4), layout="constrained")
        axes: Axes = figure.subplots()
        for key, label, colour in ((name, "train", _BLUE), (f"val_{name}", "validation", _ORANGE)):
            if values := history.get(key, ()):
                epochs = np.arange(1, len(values) + 1)
                axes.plot(epochs, values, color=colour, label=label, marker=".", markersize=4)
        axes.axvline(best_epoch + 1, color=_INK, linewidth=0.8, linestyle=":")
        title = name.replace("_", " ")
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        if name == _RATE:
            axes.set_ylim(bottom=0)
            return _svg(figure, f"{title} by epoch")
        axes.legend()
        return _svg(figure, f"{title} of train and validation by epoch")


def risk_coverage(coverage: Sequence[float], risk: Sequence[float]) -> Markup:
    """Share of mistakes among the answers, by the share of pictures that are answered."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(3.4, 3.2), layout="constrained")
        axes: Axes = figure.subplots()
        axes.plot(coverage, risk, color=_BLUE, marker=".", markersize=3)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("share of pictures answered")
        axes.set_ylabel("share wrong")
        return _svg(figure, "Share of mistakes by the share of pictures that are answered")


def confusion(shares: np.ndarray) -> Markup:
    """A confusion matrix as colours, for more classes than a table can hold.

    Args:
        shares: float [classes, classes], 0..1 of the pictures of a row.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 5.0), layout="constrained")
        axes: Axes = figure.subplots()
        # Mistakes are small: the root brings them out.
        picture = axes.imshow(
            np.sqrt(shares), cmap="Blues", vmin=0, vmax=1, interpolation="nearest"
        )
        axes.set_xlabel("answer")
        axes.set_ylabel("true class")
        bar = figure.colorbar(picture, ticks=np.sqrt([0, 0.01, 0.1, 0.5, 1]), shrink=0.8)
        bar.ax.set_yticklabels(["0", "0.01", "0.1", "0.5", "1"])
        return _svg(figure, "Confusion matrix: share of each class that gets each answer")


def calibration(sure: np.ndarray, right: np.ndarray, counts: np.ndarray, title: str = "") -> Markup:
    """Share of right answers against the probability that was given.

    Args:
        sure: float [bins], mean of the highest probability; NaN where there are no pictures.
        right: float [bins], share of right answers.
        counts: int [bins], pictures.
        title: of the diagram, our own words.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(3.4, 3.2), layout="constrained")
        axes: Axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=_INK, linewidth=0.8, linestyle=":")
        size = 12 + 150 * counts / max(1, counts.max(initial=0))
        axes.scatter(sure, right, s=size, color=_BLUE, alpha=0.8)
        axes.set_xlim(-0.04, 1.04)
        axes.set_ylim(-0.04, 1.04)
        axes.set_xlabel("probability given")
        axes.set_ylabel("share right")
        axes.set_title(title)
        label = "Share of right answers against the probability that was given"
        return _svg(figure, f"{label}, {title}" if title else label)


def _svg(figure: Figure, label: str) -> Markup:
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    start = f'<svg role="img" aria-label="{label}" class="chart" '
    return Markup(start + text.removeprefix("<svg "))  # noqa: S704 (Matplotlib's, our words alone)
