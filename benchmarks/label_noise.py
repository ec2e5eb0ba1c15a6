"""How many wrong labels `graft data labels` finds, of labels that were flipped at random.

python benchmarks/label_noise.py --pictures PATH/cats_and_dogs_filtered/train
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from frozen import read_pictures

from pipeline.config import Recipe, load_recipe


def main() -> None:
    """Computes the features once, then flips labels and searches, for each seed."""
    args = _arguments()
    with tempfile.TemporaryDirectory(prefix="graft-labels-", dir=args.scratch) as scratch:
        overrides = [f"data.source={args.pictures.absolute()}", f"workspace={scratch}", *args.set]
        results = measure(load_recipe(args.recipe, overrides), args.flipped, args.seeds)
    for result in results:
        print(json.dumps(result))
    if args.out:
        args.out.write_text(json.dumps(results))


def measure(recipe: Recipe, flipped: int, seeds: list[int]) -> list[dict]:
    """Seconds, and wrong labels among the first that are shown.

    Args:
        recipe: whose pictures, all with the right labels.
        flipped: labels that are made wrong.
        seeds: choose which.
    """
    frozen = read_pictures(recipe)

    from components.trainer import wrong_labels
    from components.trainer.linear_probe import out_of_fold_probabilities

    labels, count = frozen.labels, frozen.labels.max() + 1
    results = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        wrong = rng.choice(len(labels), flipped, replace=False)
        given = labels.copy()
        given[wrong] = (given[wrong] + rng.integers(1, count, flipped)) % count
        start = time.monotonic()
        probabilities = out_of_fold_probabilities(
            frozen.features, given, frozen.groups, count, recipe.seed
        )
        suspects = wrong_labels.rank(given, probabilities)
        results.append(
            {
                "seed": seed,
                "pictures": len(labels),
                "flipped": flipped,
                "suspects": len(suspects),
                "wrong_among_first_60": int(np.isin(suspects[:60], wrong).sum()),
                "wrong_among_first_90": int(np.isin(suspects[:90], wrong).sum()),
                "features_s": round(frozen.seconds, 1),
                "ranking_s": round(time.monotonic() - start, 1),
            }
        )
    return results


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="a folder per class")
    parser.add_argument("--flipped", type=int, default=60, help="labels to make wrong")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--recipe", default="cats_and_dogs")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="for Graft; repeatable"
    )
    parser.add_argument("--scratch", type=Path, help="folder for the run; default: the system's")
    parser.add_argument("--out", type=Path, help="JSON file for all results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
