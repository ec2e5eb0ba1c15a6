"""Whether label sets and abstention keep their promises, and what they cost.

Simulated: how often the accuracy when sure is below what was wanted, by model and size of the
validation split. On pictures: a logistic regression on a frozen backbone's features, over many
random splits of them. Time: what the outputs add to a request.

python benchmarks/calibration.py --pictures PATH/cats_and_dogs_filtered
"""

import argparse
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import scipy.special
import scipy.stats

from components.trainer import calibration
from components.trainer.settings.serving import AbstentionSettings, ServingSettings

_SIZES = (100, 300, 1000, 5000)
_ACCURACIES = (0.9, 0.95, 0.99)
_POPULATION = 400_000
# Log-odds that a model gives its answer are |normal(mean, deviation)|; those that are true of it
# are slope * log-odds + shift, but for a share of labels drawn at random.
_MODELS = {
    "right about itself": (3.0, 3.0, 1.0, 0.0, 0.0),
    "overconfident": (6.0, 4.0, 0.6, 0.0, 0.0),
    "1 % wrong labels": (6.0, 4.0, 1.0, 0.0, 0.01),
    "weak": (1.5, 2.5, 1.2, -0.3, 0.0),
}


def below_target(model: tuple[float, ...], count: int, accuracy: float, runs: int):
    """Shares of validation splits: too low a threshold, nothing proved; and mean share sure."""
    random = np.random.default_rng(0)

    def draw(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mean, deviation, slope, shift, noise = model
        sure = np.abs(random.normal(mean, deviation, number))
        chance = (1 - noise) * scipy.special.expit(slope * sure + shift) + noise / 2
        return sure, chance, random.random(number) < chance

    all_sure, chance, _ = draw(_POPULATION)
    order = np.argsort(all_sure)
    above = chance[order][::-1].cumsum()[::-1] / np.arange(_POPULATION, 0, -1)
    missed, unproved, share = 0, 0, 0.0
    for _ in range(runs):
        sure, _, right = draw(count)
        logits = np.stack([np.zeros(count), sure], axis=1)
        settings = AbstentionSettings(accuracy=accuracy)
        found = calibration.find_abstention(logits, right.astype(int), settings)
        if found.sure_above is None:
            unproved += 1
            continue
        first = np.searchsorted(all_sure[order], found.sure_above, side="right")
        if first < _POPULATION:
            missed += above[first] < accuracy
            share += 1 - first / _POPULATION
    return missed / runs, unproved / runs, share / runs


def at_target(count: int, accuracy: float, runs: int) -> float:
    """The share of splits on which a model is sure of something that just misses the target.

    The worst case: its accuracy is that everywhere, however sure it says it is.
    """
    random = np.random.default_rng(0)
    settings, passed = AbstentionSettings(accuracy=accuracy), 0
    for _ in range(runs):
        logits = np.stack([np.zeros(count), random.random(count)], axis=1)
        labels = (random.random(count) < accuracy - 1e-9).astype(int)
        passed += calibration.find_abstention(logits, labels, settings).sure_above is not None
    return passed / runs


def simulate(runs: int) -> None:
    """Prints how often the abstention rule misses its target."""
    print(f"Below target / nothing proved / share sure, {runs} simulated splits")
    print("| model, accuracy | " + " | ".join(f"{size:,}" for size in _SIZES) + " |")
    print("|---|" + "---|" * len(_SIZES))
    for name, model in _MODELS.items():
        for accuracy in _ACCURACIES:
            cells = [below_target(model, size, accuracy, runs) for size in _SIZES]
            text = " | ".join(f"{a:.3f} / {b:.3f} / {c:.3f}" for a, b, c in cells)
            print(f"| {name}, {accuracy:g} | {text} |", flush=True)
    for accuracy in _ACCURACIES:
        cells = [at_target(size, accuracy, runs) for size in _SIZES]
        text = " | ".join(f"{share:.3f}" for share in cells)
        print(f"| as good as wanted, never better, {accuracy:g} | {text} |", flush=True)


def read_features(args: argparse.Namespace) -> dict[str, np.ndarray]:
    """Features, labels and groups of all pictures, kept in `--features` where that is given."""
    if args.features and args.features.exists():
        with np.load(args.features) as kept:
            return dict(kept)
    from frozen import read_pictures

    from pipeline.config import load_recipe

    with tempfile.TemporaryDirectory(prefix="graft-calibration-") as scratch:
        overrides = [f"data.source={args.pictures.absolute()}", f"workspace={scratch}", *args.set]
        frozen = read_pictures(load_recipe(args.recipe, overrides))
    found = {"features": frozen.features, "labels": frozen.labels, "groups": frozen.groups}
    if args.features:
        np.savez(args.features, **found)
    return found


def resplit(found: dict[str, np.ndarray], resplits: int, settings: ServingSettings) -> None:
    """Prints what is kept on test pictures, over random splits into a half and two quarters."""
    from components.evaluator.measures import calibration_error
    from components.trainer.linear_probe import fit

    pictures, labels, groups = (found[name] for name in ("features", "labels", "groups"))
    classes = [str(number) for number in range(labels.max() + 1)]
    _, group = np.unique(groups, return_inverse=True)
    rows = []
    for seed in range(resplits):
        place = np.random.default_rng(seed).permutation(group.max() + 1)[group] / (group.max() + 1)
        train, validation, test = place < 0.5, (place >= 0.5) & (place < 0.75), place >= 0.75
        head = fit(pictures[train], labels[train], len(classes))
        logits = pictures @ head.weights + head.bias
        learnt = calibration.learn(
            logits[validation], labels[validation], groups[validation], classes, settings
        )
        told, plain = calibration.answer(logits[test], learnt), scipy.special.softmax(logits, 1)
        own, right = np.arange(test.sum()), logits[test].argmax(axis=1) == labels[test]
        log_own = scipy.special.log_softmax(logits[test], axis=1)[own, labels[test]]
        least = learnt.label_sets.least_log_probability
        rows.append(
            {
                "accuracy": right.mean(),
                "temperature": learnt.temperature,
                "calibration error before": calibration_error(labels[test], plain[test]),
                "calibration error after": calibration_error(labels[test], told.probabilities),
                "in the set": told.in_label_set[own, labels[test]].mean(),
                "in the set but for the most probable": (log_own >= least).mean(),
                "classes in a set": told.in_label_set.sum(axis=1).mean(),
                "share sure": 1 - told.unsure.mean(),
                "accuracy when sure": right[~told.unsure].mean() if not told.unsure.all() else 1.0,
            }
        )
    count, size = int(test.sum()), int(validation.sum())
    print(f"{resplits} splits: {train.sum()} train, {size} validation, {count} test; {settings}")
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        print(f"| {name} | {values.mean():.4f} | {values.min():.4f} | {values.max():.4f} |")
    wanted, rank = settings.label_set, int(np.ceil(settings.label_set * (size + 1)))
    kept = scipy.stats.betabinom(count, rank, size + 1 - rank)
    for name in ("in the set", "in the set but for the most probable"):
        hits = np.array([round(row[name] * count) for row in rows])
        low = np.mean(hits < scipy.stats.binom.ppf(0.05, count, wanted))
        lower = np.mean(hits < kept.ppf(0.05))
        print(
            f"{name}: below the 5 % quantile of the binomial {low:.3f} of the splits, of the "
            f"beta-binomial (the threshold is drawn too) {lower:.3f}"
        )
    missed = np.mean([row["accuracy when sure"] < settings.abstain.accuracy for row in rows])
    print(f"accuracy when sure, as measured, below {settings.abstain.accuracy:g}: {missed:.3f}")


def time_added() -> None:
    """Prints by how many microseconds per picture the outputs lengthen a request."""
    import tensorflow as tf

    from components.trainer.export import ServingModule

    transform = SimpleNamespace(
        transform_features_layer=lambda: None, raw_feature_spec=lambda: None
    )
    learnt = calibration.Calibration(
        2.0,
        calibration.Abstention(0.99, 0.95, 2.0, 300, 300, 0.99),
        calibration.LabelSets(0.95, -3.0, 1.0, 0.95),
    )
    for classes in (2, 1000):
        for batch in (1, 64):
            logits = tf.random.stateless_normal([batch, classes], [0, 0])
            spec = tf.TensorSpec([None, classes])
            took = []
            for known in (calibration.Calibration(), learnt):
                names = [str(number) for number in range(classes)]
                module = ServingModule(SimpleNamespace(), transform, names, known)
                ask = tf.function(module._answers, input_signature=[spec])
                times = []
                for _ in range(2000):
                    start = time.perf_counter()
                    ask(logits)
                    times.append(time.perf_counter() - start)
                took.append(np.median(times[200:]) * 1e6 / batch)
            print(
                f"{classes} classes, batch {batch}: {took[1] - took[0]:.1f} us per picture "
                f"({took[0]:.1f} without)"
            )


def main() -> None:
    """Simulates, measures the time, and on pictures if there are any."""
    args = _arguments()
    if args.simulated:
        simulate(args.simulated)
    time_added()
    if args.pictures or args.features:
        found = read_features(args)
        for coverage in (0.95, 0.99):
            settings = ServingSettings(
                calibrate=True, abstain={"accuracy": 0.99}, label_set=coverage
            )
            resplit(found, args.resplits, settings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, help="a folder per class")
    parser.add_argument("--features", type=Path, help=".npz that keeps the pictures' features")
    parser.add_argument("--resplits", type=int, default=100, help="random splits of the pictures")
    parser.add_argument("--simulated", type=int, default=500, help="validation splits; 0: none")
    parser.add_argument("--recipe", default="cats_and_dogs")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="for Graft; repeatable"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
