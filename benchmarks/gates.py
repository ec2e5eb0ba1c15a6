"""How often a gate passes a model that is exactly at its threshold, which it should not.

For proportions the share is a sum of binomial probabilities; the bootstrap is simulated, for a
model of three classes that is equally good in each. The old gate compared the measured value with
the threshold.

    python benchmarks/gates.py
"""

import argparse

import numpy as np
import scipy.stats

from components.bounds import lower_bound
from components.evaluator import bootstrap, measures

_SIZES = (30, 100, 300, 1000, 5000)
_CLASSES = 3
_SURE = 0.8


def exact(threshold: float, count: int, confidence: float) -> tuple[float, float]:
    """Share wrongly passed by the new gate and by the old one."""
    right = np.arange(count + 1)
    chance = scipy.stats.binom.pmf(right, count, threshold)
    proved = np.array([lower_bound(int(number), count, confidence) for number in right])
    # The old gate passed a value at the threshold; the sum in floats must not lose it.
    return chance[proved >= threshold].sum(), chance[right / count >= threshold - 1e-12].sum()


def simulated(
    statistic, threshold: float, count: int, confidence: float, runs: int
) -> tuple[float, float]:
    """The same of a measure that the bootstrap bounds, by `runs` test splits."""
    random = np.random.default_rng(0)
    passed = np.zeros(2)
    for _ in range(runs):
        labels, scores = _test_split(statistic, threshold, count, random)
        low, high = bootstrap.interval(statistic, labels, scores, np.arange(count), confidence)
        if statistic is bootstrap.calibration_error:
            passed += high <= threshold, measures.calibration_error(labels, scores) <= threshold
        else:
            value = statistic(labels, scores, np.ones((1, count)), np.zeros((1, _CLASSES)))[0]
            passed += low >= threshold, value >= threshold
    return tuple(passed / runs)


def _test_split(statistic, threshold, count, random):
    """Labels and scores of a model whose true value is the threshold."""
    labels = np.arange(count) % _CLASSES
    if statistic is bootstrap.auc:
        # Scores of a class and of the rest are normal, as far apart as gives that area.
        shift = np.sqrt(2) * scipy.stats.norm.ppf(threshold)
        scores = random.standard_normal((count, _CLASSES))
        return labels, scores + shift * np.eye(_CLASSES)[labels]
    accuracy = _SURE - threshold if statistic is bootstrap.calibration_error else threshold
    wrong = (labels + random.integers(1, _CLASSES, count)) % _CLASSES
    given = np.where(random.random(count) < accuracy, labels, wrong)
    rest = (1 - _SURE) / (_CLASSES - 1)
    return labels, np.where(np.eye(_CLASSES)[given] > 0, _SURE, rest)


def main() -> None:
    """Prints a table per measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000, help="simulated test splits")
    parser.add_argument("--confidence", type=float, default=0.95)
    arguments = parser.parse_args()
    print(f"Share wrongly passed, at most {1 - arguments.confidence:.3g} promised (new / old)")
    print("| measure, threshold | " + " | ".join(f"{size:,}" for size in _SIZES) + " |")
    print("|---|" + "---|" * len(_SIZES))
    for threshold in (0.8, 0.95, 0.99):
        row = [exact(threshold, size, arguments.confidence) for size in _SIZES]
        _print(f"accuracy {threshold:g}, exact", row)
    cases = {
        "macro_recall": (bootstrap.macro_recall, 0.95),
        "macro_precision": (bootstrap.macro_precision, 0.95),
        "auc": (bootstrap.auc, 0.95),
        "calibration_error": (bootstrap.calibration_error, 0.1),
    }
    for name, (statistic, threshold) in cases.items():
        row = [
            simulated(statistic, threshold, size, arguments.confidence, arguments.runs)
            for size in _SIZES
        ]
        _print(f"{name} {threshold:g}, {arguments.runs:,} simulated", row)


def _print(name: str, row) -> None:
    print(f"| {name} | " + " | ".join(f"{new:.4f} / {old:.4f}" for new, old in row) + " |")


if __name__ == "__main__":
    main()
