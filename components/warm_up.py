"""Requests that TensorFlow Serving replays when it loads a model, so that no client waits for it.

A SavedModel's first answers take many times as long as those that follow: kernels are made, layouts
chosen, memory fetched. TensorFlow Serving looks for the file by this name and format.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from components import features

WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"
_BATCH = 4


def write_requests(saved_model: str | os.PathLike, size: int) -> None:
    """Writes requests with drawn pictures beside the class names of a SavedModel.

    Args:
        saved_model: its folder.
        size: pixels per side that the network takes.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    with tf.io.TFRecordWriter(str(Path(saved_model, WARM_UP_FILE))) as writer:
        for batch in _batches(size):
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.signature_name = features.SERVING_SIGNATURE
            request.inputs[features.IMAGE_BYTES].CopyFrom(tf.make_tensor_proto(batch))
            writer.write(log.SerializeToString(deterministic=True))


def read_requests(saved_model: str | os.PathLike) -> list[list[bytes]]:
    """The encoded pictures of each request; none where a SavedModel has no such file.

    Raises:
        tf.errors.DataLossError, google.protobuf.message.DecodeError: the file is damaged.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    file = Path(saved_model, WARM_UP_FILE)
    if not file.exists():
        return []
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record)
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    ]
    return [list(log.predict_log.request.inputs[features.IMAGE_BYTES].string_val) for log in logs]


def _batches(size: int) -> Sequence[list[bytes]]:
    """A JPEG that is decoded whole, one that is decoded at half its size, a PNG, and many."""
    whole, half = _drawn(size), _drawn(4 * size)
    jpeg, png = tf.io.encode_jpeg(whole).numpy(), tf.io.encode_png(whole).numpy()
    return [[jpeg], [tf.io.encode_jpeg(half).numpy()], [png], [jpeg] * _BATCH]


def _drawn(side: int) -> tf.Tensor:
    """A slope from black to white, uint8 [side, side, 3]: it takes few bytes."""
    row = tf.cast(tf.linspace(0.0, 255.0, side), tf.uint8)
    return tf.tile(row[:, tf.newaxis, tf.newaxis], [1, side, 3])
