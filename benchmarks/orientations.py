"""What a served model answers to one photo in every orientation that a camera stores.

python benchmarks/orientations.py runs/cats_and_dogs/serving/1 photo.jpg [photo2.jpg …]
"""

import argparse
import io
import itertools
import os
import statistics
import struct
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the import of TensorFlow

import numpy as np
import tensorflow as tf
from PIL import Image

from components import features, pixels
from components.pillow_pictures import open_picture, orientation_exif, upright_rgb

_LARGE_PIXELS = 12_000_000
_WAYS = [*itertools.product(range(1, 9), "<>")]
_REPEATS = 10


def main() -> None:
    """Prints a line for each photo and for it enlarged to 12 megapixels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder of a served version")
    parser.add_argument("photos", nargs="+", type=Path, help="JPEGs")
    parser.add_argument("--size", type=int, default=160, help="pixels per side of the network")
    args = parser.parse_args()
    serve = tf.saved_model.load(args.model).signatures[features.SERVING_SIGNATURE]
    for photo in args.photos:
        for kind, data in {"as it is": photo.read_bytes(), "12 MP": enlarged(photo)}.items():
            fraction = fraction_for(data, args.size)
            off, turned = compare(serve, data, 1)
            shown = f"from the upright file by {off:.1e} at most"
            if fraction > 1:
                shown += f", decoded at 1/{fraction} too by {compare(serve, data, fraction)[0]:.1e}"
            scaled, whole = decoding_ms(data, args.size)
            print(
                f"{photo.name}, {kind}: {len(_WAYS)} files differ {shown} (without Exif it would "
                f"be {turned:.1e}); decoded and resized in {scaled:.1f} ms, plainly in "
                f"{whole:.1f} ms",
                flush=True,
            )


def fraction_for(data: bytes, size: int) -> int:
    """What `components.pixels` divides the sides of a JPEG by for a network of that size."""
    with open_picture(data) as image:
        fits = min(image.size) // (2 * size)
    return max(fraction for fraction in (1, 2, 4, 8) if fraction <= max(1, fits))


def compare(serve: Callable, data: bytes, fraction: int) -> tuple[float, float]:
    """Largest differences of a served probability over the eight orientations, two byte orders.

    Args:
        serve: the signature `serving_default`.
        data: a JPEG. It is stored as it is; what it says of its orientation changes.
        fraction: what Pillow divides the sides of the upright file by, from 1, 2, 4 and 8.

    Returns:
        That from the upright file, which is Pillow's upright picture as a PNG, and that of the
        upright file from the file as it lies.
    """

    def ask(file: bytes) -> np.ndarray:
        return serve(image_bytes=tf.constant([file]))[features.PROBABILITIES].numpy()[0]

    off = turned = 0.0
    lying = ask(data)
    for orientation, byte_order in _WAYS:
        file = with_orientation(data, orientation, byte_order)
        upright = io.BytesIO()
        image = open_picture(file)
        if fraction > 1:
            image.draft(None, [side // fraction for side in image.size])
        upright_rgb(image).save(upright, "PNG", compress_level=0)
        answer = ask(upright.getvalue())
        off = max(off, float(np.abs(ask(file) - answer).max()))
        turned = max(turned, float(np.abs(lying - answer).max()))
    return off, turned


def with_orientation(jpeg: bytes, orientation: int, byte_order: str) -> bytes:
    """A JPEG with an Exif segment before all others, of nothing but the orientation."""
    exif = orientation_exif(orientation, byte_order)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def enlarged(photo: Path) -> bytes:
    """A photo at 12 megapixels, as a JPEG."""
    with Image.open(photo) as image:
        factor = (_LARGE_PIXELS / (image.width * image.height)) ** 0.5
        size = (round(image.width * factor), round(image.height * factor))
        file = io.BytesIO()
        image.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


def decoding_ms(data: bytes, size: int) -> tuple[float, float]:
    """Median milliseconds from the file to resized pixels, by the graph's way and plainly."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def scaled(image: tf.Tensor) -> tf.Tensor:
        return pixels.decode(image, [size, size])

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def whole(image: tf.Tensor) -> tf.Tensor:
        return tf.image.resize(tf.io.decode_jpeg(image, 3), [size, size], antialias=True)

    return _median_ms(scaled, data), _median_ms(whole, data)


def _median_ms(function: Callable, data: bytes) -> float:
    times = []
    for _ in range(_REPEATS + 1):
        start = time.perf_counter()
        function(tf.constant(data))
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
