"""How long a served model takes for one photo and for many, and what of it is decoding.

python benchmarks/latency.py runs/photos/serving/1 photo.jpg --recipe photos
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the import of TensorFlow

import numpy as np
import tensorflow as tf
from orientations import enlarged

from components import features, pixels
from components.classes import read_classes
from components.trainer.network.classifier import build_classifier
from components.trainer.network.initial_weights import without_weights
from components.warm_up import read_requests
from pipeline.config import load_recipe

_BATCH = 32
_FIRST = "--first"


def main() -> None:
    """Prints median and 99th percentile of each kind of request, and the first requests."""
    if _FIRST in sys.argv:
        print(json.dumps(first_request_ms(*sys.argv[2:])))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder of a served version")
    parser.add_argument("photo", type=Path, help="a JPEG")
    parser.add_argument("--recipe", default="photos", help="that the model was made with")
    parser.add_argument("--requests", type=int, default=200, help="of one photo; of 32 a tenth")
    args = parser.parse_args()

    small, large = args.photo.read_bytes(), enlarged(args.photo)
    serve = tf.saved_model.load(args.model).signatures[features.SERVING_SIGNATURE]
    recipe = load_recipe(args.recipe)
    size = recipe.backbone.image_size
    # Which weights does not matter to the time.
    network = without_weights(recipe.backbone)
    bare = build_classifier(network, recipe.head, len(read_classes(args.model)), steps=1)
    run = tf.function(lambda batch: bare(batch, training=False), reduce_retracing=True)
    decode = tf.function(
        lambda image: pixels.decode(image, [size, size]),
        input_signature=[tf.TensorSpec([], tf.string)],
    )
    few = max(10, args.requests // 10)
    for name, call, count in (
        ("one photo", lambda: serve(image_bytes=tf.constant([small])), args.requests),
        ("one of 12 megapixels", lambda: serve(image_bytes=tf.constant([large])), few),
        (f"{_BATCH} photos", lambda: serve(image_bytes=tf.constant([small] * _BATCH)), few),
        ("decoding one photo", lambda: decode(tf.constant(small)), args.requests),
        ("decoding one of 12 megapixels", lambda: decode(tf.constant(large)), few),
        ("the bare Keras model, one", lambda: run(tf.zeros([1, size, size, 3])), args.requests),
        (f"the bare Keras model, {_BATCH}", lambda: run(tf.zeros([_BATCH, size, size, 3])), few),
    ):
        median, p99 = times_ms(call, count)
        print(f"{name:32} median {median:8.1f} ms   p99 {p99:8.1f} ms", flush=True)
    for warm in ("cold", "warm"):
        print(
            f"{'first request, ' + warm:32} {_first_in_a_process(args.model, small, warm):.1f} ms"
        )


def times_ms(call: Callable, count: int) -> tuple[float, float]:
    """Median and 99th percentile of the milliseconds of a call, the first three left out."""
    times = []
    for _ in range(count + 3):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    median, p99 = np.percentile(times[3:], [50, 99])
    return float(median), float(p99)


def first_request_ms(model: str, photo: str, warm: str) -> float:
    """Milliseconds of the first request after loading, with or without the warm-up before it."""
    loaded = tf.saved_model.load(model)
    serve = loaded.signatures[features.SERVING_SIGNATURE]
    for batch in read_requests(model) if warm == "warm" else ():
        serve(image_bytes=tf.constant(batch))
    picture = tf.constant([Path(photo).read_bytes()])
    start = time.perf_counter()
    serve(image_bytes=picture)
    return (time.perf_counter() - start) * 1000


def _first_in_a_process(model: str, photo: bytes, warm: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "photo.jpg")
        file.write_bytes(photo)
        command = [sys.executable, __file__, _FIRST, model, str(file), warm]
        done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
