"""A stand-in for a trained model: right signatures, trivial network, breakable in known ways."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from components import features, warm_up

COLOURS = ("blue", "green", "red")


@pytest.fixture(scope="session")
def save_model() -> Callable[..., Path]:
    """`save_model(folder, ...)` writes a SavedModel that names a picture's strongest channel.

    With `sure_from` it is unsure below that probability, and has the classes from 0.3 on in its
    label set; with `explains` it has heat maps, which are all ones.
    """
    import tensorflow as tf

    class StandIn(tf.Module):
        """Mean colour, one score per class, softmax."""

        def __init__(
            self,
            classes: Sequence[str],
            blind_to: Sequence[str],
            fault: str | None,
            sure_from: float | None,
        ):
            super().__init__()
            self.classes = tf.constant(list(classes))
            self.scores = tf.constant(
                [
                    [5.0 * (name == channel and name not in blind_to) for name in classes]
                    for channel in ("red", "green", "blue")
                ]
            )
            self.fault = fault
            self.sure_from = sure_from

        def decode(self, data):
            if self.fault == "never refuses":
                return tf.constant([0.2, 0.3, 0.4])
            if self.fault == "writes":
                tf.io.write_file("never", data)
            if self.fault == "refuses":
                data = tf.strings.substr(data, 0, 0)
            picture = tf.io.decode_image(data, channels=3, expand_animations=False)
            return tf.reduce_mean(tf.cast(picture, tf.float32), axis=[0, 1]) / 255.0

        def answer(self, image_bytes, temperature=1.0):
            colour = tf.map_fn(
                self.decode, image_bytes, fn_output_signature=tf.TensorSpec([3], tf.float32)
            )
            probabilities = tf.nn.softmax(colour @ self.scores / temperature)
            if self.fault == "nan":
                probabilities *= float("nan")
            if self.fault == "sum":
                probabilities *= 0.9
            names = tf.roll(self.classes, 1, 0) if self.fault == "names" else self.classes
            hedges = {}
            if self.sure_from is not None:
                in_label_set = probabilities >= 0.3
                if self.fault == "label not in its set":
                    in_label_set = ~in_label_set
                hedges = {
                    "unsure": tf.reduce_max(probabilities, axis=1) < self.sure_from,
                    "in_label_set": in_label_set,
                }
            return hedges | {
                "label": tf.gather(self.classes, tf.argmax(probabilities, axis=1)),
                "probability": tf.reduce_max(probabilities, axis=1),
                "probabilities": tf.cast(
                    probabilities, tf.float64 if self.fault == "dtype" else tf.float32
                ),
                "classes": tf.repeat(names[None], tf.shape(probabilities)[0], axis=0),
            }

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def serve(self, image_bytes):
            return self.answer(image_bytes, 1.01 if self.fault == "skew" else 1.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
        def from_examples(self, examples):
            spec = {features.IMAGE: tf.io.FixedLenFeature([], tf.string)}
            answers = self.answer(tf.io.parse_example(examples, spec)[features.IMAGE])
            if self.fault == "hedges once":
                del answers["unsure"]
            return answers

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
        def transform(self, examples):
            spec = {features.LABEL: tf.io.FixedLenFeature([], tf.string)}
            labels = tf.io.parse_example(examples, spec)[features.LABEL]
            return {"label_xf": tf.argmax(labels[:, None] == self.classes[None], axis=1)}

    def save(
        folder: Path,
        classes: Sequence[str] = COLOURS,
        blind_to: Sequence[str] = (),
        fault: str | None = None,
        sure_from: float | None = None,
        explains: bool = False,
    ) -> Path:
        model = StandIn(classes, blind_to, fault, sure_from)
        signatures = {
            "serving_default": model.serve,
            "from_examples": model.from_examples,
            "transform_features": model.transform,
        }
        if fault == "signature":
            del signatures["from_examples"]
        if explains:
            signatures["explain"] = tf.function(
                lambda image_bytes: {"heat_map": tf.ones([tf.shape(image_bytes)[0], 3, 3])},
                input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")],
            )
        tf.saved_model.save(model, str(folder), signatures=signatures)
        (folder / "assets.extra").mkdir()
        (folder / "assets.extra" / "classes.txt").write_text("".join(f"{c}\n" for c in classes))
        warm_up.write_requests(folder, 12)
        return folder

    return save


@pytest.fixture(scope="session")
def model(tmp_path_factory, save_model) -> Path:
    """A `Model` artifact's folder with the stand-in under `Format-Serving`. Read only."""
    folder = tmp_path_factory.mktemp("model")
    save_model(folder / "Format-Serving")
    return folder


@pytest.fixture(scope="session")
def examples(tmp_path_factory) -> Path:
    """An `Examples` artifact's folder with 42 pictures, 14 of each colour, as `Split-test`.

    Two of them lie in `originals`, and one file of a format that is not served.
    """
    import tensorflow as tf
    from PIL import Image

    split = tmp_path_factory.mktemp("examples") / "Split-test"
    originals = split.with_name(features.ORIGINALS)
    split.mkdir()
    originals.mkdir()
    random = np.random.default_rng(0)
    path = str(split / "data_tfrecord-00000-of-00001.gz")
    with tf.io.TFRecordWriter(path, features.COMPRESSION) as writer:
        for number in range(42):
            label = COLOURS[number % 3]
            pixels = random.integers(0, 120, (12, 12, 3), np.uint8)
            pixels[..., ("red", "green", "blue").index(label)] += 120
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            example = tf.train.Example()
            feature = example.features.feature
            feature[features.IMAGE].bytes_list.value.append(buffer.getvalue())
            feature[features.LABEL].bytes_list.value.append(label.encode())
            feature[features.IMAGE_ID].bytes_list.value.append(f"{number:064x}".encode())
            feature[features.PATH].bytes_list.value.append(f"{label}/{number}.png".encode())
            writer.write(example.SerializeToString())
            if number < 2:
                (originals / f"0{number}-id.png").write_bytes(buffer.getvalue())
            if number == 2:
                (originals / "02-id.text").write_bytes(b"not a picture")
    return split.parent
