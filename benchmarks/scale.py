"""Time and memory of a run of Graft at growing numbers of pictures.

python benchmarks/scale.py --sizes 1000 4000 16000
"""

import argparse
import json
import tempfile
from pathlib import Path

import measure
import numpy as np
from PIL import Image

_CLASSES = ("cool", "warm")
# A photo's size and, at this coarseness, about a photo's bytes and time to decode.
_WIDTH, _HEIGHT, _GRAIN = 500, 375, 5


def main() -> None:
    """Runs the sizes and prints a line per size, with the nodes below it."""
    args = _arguments()
    results = []
    with tempfile.TemporaryDirectory(prefix="graft-scale-", dir=args.scratch) as scratch:
        for size in args.sizes:
            folder = Path(scratch, str(size))
            draw_pictures(folder / "pictures", size)
            results.append(run(args, folder, size))
            _show(results[-1])
            if args.out:
                args.out.write_text(json.dumps(results))


def draw_pictures(folder: Path, count: int) -> None:
    """Draws JPEGs, no two alike: cloudy noise, bluish in one class and reddish in the other."""
    for name in _CLASSES:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        index = number % len(_CLASSES)
        picture = draw(np.random.default_rng(number), _CLASSES[index])
        picture.save(folder / _CLASSES[index] / f"{number:06d}.jpg", quality=90)


def draw(rng: np.random.Generator, name: str) -> Image.Image:
    """One picture of a class."""
    shape = (_HEIGHT // _GRAIN, _WIDTH // _GRAIN, 3)
    noise = rng.integers(0, 256, shape).astype(np.uint8)
    noise[..., 2 if name == "warm" else 0] //= 2
    return Image.fromarray(noise).resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC)


def run(args: argparse.Namespace, folder: Path, size: int) -> dict[str, object]:
    """Runs the recipe on the pictures of a folder."""
    overrides = [
        f"data.source={folder / 'pictures'}",
        "data.split={train: 0.8, validation: 0.1, test: 0.1}",
        f"training.frozen.epochs={args.epochs}",
        f"training.unfrozen.epochs={args.epochs}",
        *args.set,
    ]
    done = measure.run_graft(args.recipe, overrides, folder)
    return {
        "pictures": size,
        "seconds": done.watched.seconds,
        "peak_mib": done.watched.peak_private_mib,
        "nodes": {
            node.name: {"seconds": node.seconds, "peak_mib": node.peak_private_mib}
            for node in done.nodes
        },
    }


def _show(result: dict) -> None:
    print(
        f"{result['pictures']:,} pictures: {result['seconds']:.1f} s, {result['peak_mib']:.0f} MiB"
    )
    for name, node in result["nodes"].items():
        print(f"  {name:<18} {node['seconds']:8.1f} s  {node['peak_mib']:6.0f} MiB", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 4000, 16000])
    parser.add_argument("--epochs", type=int, default=2, help="of each of the two phases")
    parser.add_argument("--recipe", default="cats_and_dogs")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="for Graft; repeatable"
    )
    parser.add_argument(
        "--scratch", type=Path, help="folder for pictures and runs; default: the system's"
    )
    parser.add_argument("--out", type=Path, help="JSON file for all results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
