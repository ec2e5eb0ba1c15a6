"""Draws validation accuracy over the wall time of the script and of Graft's recipes.

python benchmarks/accuracy_over_time.py results.json --out accuracy_over_time.png
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

_TITLES = {
    "script": "plain Keras script",
    "graft": "Graft, the script's recipe",
    "photos": "Graft, recipe photos",
}


def main() -> None:
    """Reads what `compare_keras.py --out` wrote and draws it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+", help="of `compare_keras.py --out`")
    parser.add_argument("--out", type=Path, required=True, help="picture, as .png or .svg")
    args = parser.parse_args()
    files = [json.loads(path.read_text(encoding="utf-8")) for path in args.results]
    draw([pair for file in files for pair in file["pairs"]]).savefig(args.out, dpi=150)


def draw(pairs: Iterable[Mapping[str, Mapping]]) -> Figure:
    """A line per run: a point where an epoch ended, a bar where its process did."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    colours = dict(zip(_TITLES, mpl.color_sequences["tab10"], strict=False))
    for pair in pairs:
        for name, result in pair.items():
            seconds, accuracies = zip(*result["curve"], strict=True)
            look = {"color": colours[name], "alpha": 0.8}
            axes.plot(seconds, accuracies, ".-", label=_TITLES[name], **look)
            axes.plot(result["seconds"], result["kept"], "|", markersize=16, **look)
    # One entry for all runs of a name.
    entries = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    axes.legend(entries.values(), entries.keys(), loc="lower right")
    axes.set_xlabel("seconds since the process started")
    axes.set_ylabel("validation accuracy")
    axes.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    main()
