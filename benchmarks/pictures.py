"""The pictures of a benchmark: some of them, or as large as a phone makes them."""

import argparse
import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

_QUALITY = 90


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds `--pictures`, `--limit` and `--megapixels`."""
    parser.add_argument(
        "--pictures",
        type=lambda text: Path(text).absolute(),
        required=True,
        help="folder with train/ and validation/, one folder per class in each",
    )
    parser.add_argument("--limit", type=int, help="so many pictures, the same share of each folder")
    parser.add_argument(
        "--megapixels", type=float, help="enlarges and encodes them anew first, for both sides"
    )


def prepared(args: argparse.Namespace, scratch: Path) -> Path:
    """The folder of pictures that the options ask for: a new one, or the given one as it is."""
    if not (args.limit or args.megapixels):
        return args.pictures
    folder = scratch / "pictures"
    files = sorted(file for file in args.pictures.glob("*/*/*") if file.is_file())
    step = len(files) / min(args.limit or len(files), len(files))
    # Sorted by split and class, so every folder gives the same share.
    taken = [files[int(number * step)] for number in range(round(len(files) / step))]
    copies = [folder / file.relative_to(args.pictures) for file in taken]
    for parent in {copy.parent for copy in copies}:
        parent.mkdir(parents=True)
    with ThreadPoolExecutor() as threads:
        list(threads.map(_copy, taken, copies, itertools.repeat(args.megapixels)))
    return folder


def _copy(source: Path, copy: Path, megapixels: float | None) -> None:
    if not megapixels:
        copy.symlink_to(source)
        return
    with Image.open(source) as picture:
        factor = math.sqrt(megapixels * 1e6 / (picture.width * picture.height))
        size = round(factor * picture.width), round(factor * picture.height)
        large = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    large.save(copy.with_suffix(".jpg"), quality=_QUALITY)
