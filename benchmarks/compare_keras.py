"""Graft against the plain Keras script of the same recipe, in alternation on the same machine.

python benchmarks/compare_keras.py --pictures PATH/cats_and_dogs_filtered --seeds 0 1 2
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import measure
import pictures

from components.trainer.training_report import TrainingReport

RECIPE, OWN_PHOTOS = "cats_and_dogs", "photos"
SCRIPT, GRAFT, PHOTOS = "script", "graft", "photos"
_KERAS_SCRIPT = Path(__file__).parent / "keras_script.py"

Result = dict[str, object]
Pair = Mapping[str, Result]


def main() -> None:
    """Runs the pairs and prints what came of them."""
    args = _arguments()
    pairs: list[dict[str, Result]] = []
    with tempfile.TemporaryDirectory(prefix="graft-benchmark-") as scratch:
        args.pictures = pictures.prepared(args, Path(scratch))
        for number, seed in enumerate(args.seeds):
            folder = Path(scratch, str(seed))
            folder.mkdir()
            runs = {SCRIPT: run_script, GRAFT: run_graft}
            if args.photos:
                runs[PHOTOS] = run_photos
            # Whoever is second finds the pictures in the page cache: take turns.
            order = list(runs) if number % 2 == 0 else list(runs)[::-1]
            pair = {}
            for name in order:
                pair[name] = runs[name](args, seed=seed, folder=folder)
                print(f"seed {seed}  {describe(name, pair[name])}", flush=True)
            pairs.append(pair)
            if args.out:
                args.out.write_text(json.dumps({"options": _options(args), "pairs": pairs}))
    print(summary(pairs))


def run_script(args: argparse.Namespace, seed: int, folder: Path) -> Result:
    """Runs the Keras script in a process of its own."""
    out = folder / "script.json"
    watched = measure.watch(
        [
            *(sys.executable, str(_KERAS_SCRIPT), str(args.pictures)),
            *("--weights", args.weights, "--epochs", str(args.epochs)),
            *("--seed", str(seed), "--out", str(out)),
        ],
        folder / "script.log",
    )
    histories = json.loads(out.read_text())
    return {
        "seconds": watched.seconds,
        "peak_mib": watched.peak_private_mib,
        # What a user of the script ends up with: the weights of the last epoch.
        "kept": histories["unfrozen"][-1],
        "test": histories["test"],
        "histories": {phase: histories[phase] for phase in ("frozen", "unfrozen")},
        "curve": [
            (ended - watched.started, accuracy)
            for ended, accuracy in zip(
                histories["ended"], histories["frozen"] + histories["unfrozen"], strict=True
            )
        ],
    }


def run_graft(args: argparse.Namespace, seed: int, folder: Path) -> Result:
    """Runs the script's recipe in Graft."""
    phases = ("frozen", "unfrozen")
    epochs = [f"training.{phase}.epochs={args.epochs}" for phase in phases]
    return _run_recipe(RECIPE, args, seed, folder / GRAFT, [*epochs, *args.set])


def run_photos(args: argparse.Namespace, seed: int, folder: Path) -> Result:
    """Runs the recipe for one's own photos, with its own epochs, on the same three splits."""
    split = "data.split={train: 0.8, validation: 0.16, test: 0.04}"
    return _run_recipe(OWN_PHOTOS, args, seed, folder / PHOTOS, [split])


def _run_recipe(
    recipe: str, args: argparse.Namespace, seed: int, folder: Path, overrides: Sequence[str]
) -> Result:
    """Runs Graft in a process of its own and in a fresh workspace."""
    folder.mkdir()
    overrides = [
        f"data.source={args.pictures}",
        f"backbone.weights={args.weights}",
        f"seed={seed}",
        *overrides,
    ]
    run = measure.run_graft(recipe, overrides, folder)
    training = TrainingReport.read(measure.only(run.artifacts, "Trainer/model_run/[0-9]*"))
    metrics = json.loads(
        measure.only(run.artifacts, "Evaluator/evaluation/*/metrics.json").read_text()
    )
    return {
        "seconds": run.watched.seconds,
        "peak_mib": run.watched.peak_private_mib,
        "kept": training.kept_phase.val_accuracy,
        "test": metrics["overall"]["accuracy"],
        "histories": {p.name: p.history["val_accuracy"] for p in training.phases},
        "curve": [(e["at"], e["val_accuracy"]) for e in run.events if e["event"] == "epoch"],
        "served_seconds": _served(run.events),
        "trainer_seconds": next(node.seconds for node in run.nodes if node.name == "Trainer"),
        "nodes": {node.name: round(node.seconds, 2) for node in run.nodes},
    }


def _served(events: Sequence[Mapping[str, object]]) -> float:
    """Seconds from the start of the process to the end of the node that serves."""
    (pushed,) = (
        e["at"] for e in events if (e["event"], e.get("node")) == ("node_finished", "Pusher")
    )
    return pushed


def _accuracy(result: Result, phase: str, best: bool = False) -> float:
    """Validation accuracy of a phase's last or best epoch."""
    accuracies = result["histories"][phase]
    return max(accuracies) if best else accuracies[-1]


def describe(name: str, result: Result) -> str:
    """One line for one run."""
    text = (
        f"{name:<6}  {result['seconds']:7.1f} s  {result['peak_mib']:6.0f} MiB  "
        f"validation {_accuracy(result, 'frozen'):.4f} frozen, "
        f"{_accuracy(result, 'unfrozen'):.4f} unfrozen  test {result['test']:.4f}"
    )
    if "trainer_seconds" in result:
        text += f"  Trainer {result['trainer_seconds']:.1f} s"
    return text


def summary(pairs: Sequence[Pair]) -> str:
    """The ratios of the wall times and the accuracies, over all pairs."""
    recipes = [name for name in pairs[0] if name != SCRIPT]
    lines = [f"{len(pairs)} pair(s); ratios are medians, accuracies means"]
    for name in sorted(recipes):
        for label, key in (
            ("whole pipeline", "seconds"),
            ("start to served", "served_seconds"),
            ("Trainer", "trainer_seconds"),
        ):
            ratios = [pair[name][key] / pair[SCRIPT]["seconds"] for pair in pairs]
            each = ", ".join(f"{ratio:.3f}" for ratio in ratios)
            lines.append(
                f"{name}: {label + ' / script':<24} {statistics.median(ratios):.3f}   ({each})"
            )
    for label, accuracy in (
        ("frozen, last epoch", lambda run: _accuracy(run, "frozen")),
        ("frozen, best epoch", lambda run: _accuracy(run, "frozen", best=True)),
        ("unfrozen, last epoch", lambda run: _accuracy(run, "unfrozen")),
        ("unfrozen, best epoch", lambda run: _accuracy(run, "unfrozen", best=True)),
        ("kept", lambda run: run["kept"]),
        ("test", lambda run: run["test"]),
    ):
        means = {
            name: statistics.mean(accuracy(pair[name]) for pair in pairs)
            for name in (SCRIPT, *sorted(recipes))
        }
        columns = [f"script {means[SCRIPT]:.4f}"]
        for name in sorted(recipes):
            columns.append(f"{name} {means[name]:.4f}  {means[name] - means[SCRIPT]:+.4f}")
        lines.append(f"{label:<24} {'  '.join(columns)}")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    pictures.add_options(parser)
    parser.add_argument(
        "--weights", default="imagenet", help="`imagenet`, or a .weights.h5 file without the top"
    )
    parser.add_argument("--epochs", type=int, default=10, help="of each of the two phases")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="a pair for each")
    parser.add_argument(
        "--photos", action="store_true", help="also runs the recipe `photos`, with its own epochs"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="for the script's recipe; repeatable",
    )
    parser.add_argument("--out", type=Path, help="JSON file for all results")
    args = parser.parse_args()
    if args.weights != "imagenet":
        args.weights = str(Path(args.weights).absolute())
    return args


def _options(args: argparse.Namespace) -> dict[str, object]:
    return {key: str(value) for key, value in vars(args).items()}


if __name__ == "__main__":
    main()
