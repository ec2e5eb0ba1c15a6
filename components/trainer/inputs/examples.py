"""Batches for training and validation, from the raw examples through the Transform graph."""

import collections
import copy
import math
from collections.abc import Container, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components import features

# Encoded pictures, not pixels: some 50 MB of photos. ImageExampleGen has shuffled the files
# already.
_SHUFFLE_BUFFER = 2048
_READ_BUFFER_BYTES = 8 << 20


class ExampleReader:
    """Turns example files into batches of (pixels, label).

    pixels: float32 [batch, size, size, 3] in the backbone's range; label: int64 [batch].
    """

    def __init__(self, tft_output: tft.TFTransformOutput, batch_size: int):
        self._layer = tft_output.transform_features_layer()
        self._spec = tft_output.raw_feature_spec()
        self._batch_size = batch_size
        # One trace of the transform graph serves all datasets.
        self._transform = tf.function(
            self._transform_batch,
            autograph=False,
            input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int64)],
        )

    def with_batch_size(self, batch_size: int) -> "ExampleReader":
        """The same reader with other batches; the transform graph is not loaded again."""
        other = copy.copy(self)
        other._batch_size = batch_size
        return other

    def training_batches(
        self,
        files: Sequence[str],
        count: int,
        seed: int,
        first_epoch: int = 0,
        targets: np.ndarray | None = None,
        own_count: int = 0,
    ) -> tf.data.Dataset:
        """Epoch after epoch without end, each shuffled anew.

        Epoch e (from 0) holds view e + 1 of every picture.

        Args:
            files: TFRecord files of the train split.
            count: how many examples they hold.
            seed: fixes the order.
            first_epoch: where to begin.
            targets: what each picture is to be learned as, in the files' order, in place of its
                label.
            own_count: how many of the pictures, the last ones, a model has labelled.
        """
        steps = math.ceil(count / self._batch_size)
        examples = records(files)
        if targets is not None:
            examples = tf.data.Dataset.zip(examples, tf.data.Dataset.from_tensor_slices(targets))
        if own_count:  # mixed in: behind the others they would be the end of every epoch
            others = count - own_count
            parts = [examples.take(others), examples.skip(others)]
            shares = [others / count, own_count / count]
            examples = tf.data.Dataset.sample_from_datasets(parts, shares, seed)
        epoch = examples.shuffle(min(count, _SHUFFLE_BUFFER), seed=seed).batch(self._batch_size)

        def transform(step: tf.Tensor, batch) -> tuple[tf.Tensor, tf.Tensor]:
            view = step // steps + 1
            if targets is None:
                return self._transform(batch, tf.fill(tf.shape(batch), view))
            serialized, chosen = batch
            return self._transform(serialized, tf.fill(tf.shape(serialized), view))[0], chosen

        return (
            epoch.repeat()
            .enumerate()
            .skip(first_epoch * steps)
            .map(transform, num_parallel_calls=tf.data.AUTOTUNE)
            .prefetch(2)
        )

    def view_batches(
        self, files: Sequence[str], count: int, views: Sequence[int] = (0,)
    ) -> tf.data.Dataset:
        """Every picture once per view (0: as it is), in the files' order.

        Args:
            files: TFRecord files.
            count: how many examples they hold.
            views: which ones. All views of a picture are in one batch, one after the other: it is
                decoded once for all of them.
        """
        pictures = max(1, self._batch_size // len(views))

        def transform(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            numbers = tf.tile(tf.constant(list(views), tf.int64), tf.shape(serialized))
            return self._transform(tf.repeat(serialized, len(views)), numbers)

        return (
            records(files)
            .batch(pictures)
            .map(transform, num_parallel_calls=tf.data.AUTOTUNE)
            # Keras warns of data that "ran out" where it cannot know the number of batches.
            .apply(tf.data.experimental.assert_cardinality(math.ceil(count / pictures)))
            .prefetch(2)
        )

    def views(self, record: bytes, views: Sequence[int]) -> np.ndarray:
        """Views of one picture, as the network would get them.

        Args:
            record: a serialized example.
            views: which ones; 0 is the picture as it is.

        Returns:
            float32 [views, size, size, 3] in the backbone's range.
        """
        return self._transform(tf.repeat(record, len(views)), tf.constant(views, tf.int64))[
            0
        ].numpy()

    def _transform_batch(
        self, serialized: tf.Tensor, views: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        raw = tf.io.parse_example(serialized, self._spec)
        raw[features.VIEW] = views
        transformed = self._layer(raw)
        return (
            transformed[features.transformed_name(features.IMAGE)],
            transformed[features.transformed_name(features.LABEL)],
        )


def count_examples(files: Sequence[str]) -> int:
    """Counts the records: steps per epoch come from the data, never from a constant."""
    if not files:
        return 0
    return int(records(files).batch(1024).reduce(0, lambda n, batch: n + tf.size(batch)))


def count_labels(files: Sequence[str]) -> collections.Counter[str]:
    """Counts the records of every class, without decoding a picture."""
    return collections.Counter(text_features(files, [features.LABEL])[features.LABEL])


def text_features(files: Sequence[str], names: Sequence[str]) -> dict[str, list[str]]:
    """Features that hold text, of every record in the files' order, without decoding a picture."""
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in names}
    texts: dict[str, list[str]] = {name: [] for name in names}
    for serialized in records(files).batch(1024):
        for name, values in tf.io.parse_example(serialized, spec).items():
            texts[name] += [value.decode() for value in values.numpy()]
    return texts


def find_records(files: Sequence[str], wanted: Container[str]) -> dict[str, bytes]:
    """The serialized examples of some pictures by content id."""
    spec = {features.IMAGE_ID: tf.io.FixedLenFeature([], tf.string)}
    found = {}
    for serialized in records(files).batch(64):
        ids = tf.io.parse_example(serialized, spec)[features.IMAGE_ID].numpy()
        for row, image_id in enumerate(map(bytes.decode, ids)):
            if image_id in wanted:
                found[image_id] = serialized[row].numpy()
    return found


def encoded_picture(record: bytes) -> bytes:
    """The stored picture of a serialized example."""
    example = tf.train.Example.FromString(record)
    return example.features.feature[features.IMAGE].bytes_list.value[0]


def labelled_pictures(files: Sequence[str], batch_size: int) -> tf.data.Dataset:
    """Batches of (encoded picture, class name), string [batch] each, once, in the files' order."""
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in (features.IMAGE, features.LABEL)}

    def parse(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        example = tf.io.parse_example(serialized, spec)
        return example[features.IMAGE], example[features.LABEL]

    return records(files).batch(batch_size).map(parse).prefetch(1)


def records(files: Sequence[str]) -> tf.data.Dataset:
    """Serialized examples, string [], in the files' order."""
    return untuned(
        tf.data.TFRecordDataset(
            files, compression_type=features.COMPRESSION, buffer_size=_READ_BUFFER_BYTES
        )
    )


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same without tf.data's tuner, and so is all that is made of it.

    What is AUTOTUNE in it runs on every core from the beginning. The tuner looks again in ever
    longer intervals, of up to a minute, and whoever drops an iterator waits for the end of one.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
