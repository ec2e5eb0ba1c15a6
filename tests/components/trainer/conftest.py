"""Example files in which no two classes and no two splits have as many pictures."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest


@dataclasses.dataclass(frozen=True)
class UnevenFiles:
    """Two example files.

    Attributes:
        train: 9 bars, 3 discs and 5 frames, in mixed order.
        validation: 2 bars, 3 discs and 1 frame.
    """

    train: str
    validation: str


@pytest.fixture(scope="session")
def uneven(analyzed, tmp_path_factory) -> UnevenFiles:
    """Some of the pictures of `analyzed`, no picture in both splits."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("uneven")
    records = list(tf.data.TFRecordDataset(analyzed.file, "GZIP").as_numpy_iterator())

    by_class: dict[str, list[bytes]] = {}
    for record, (_, name) in zip(records, analyzed.pictures, strict=True):
        by_class.setdefault(name, []).append(record)

    def write(split: str, first: int, **counts: int) -> str:
        chosen = [r for name, n in counts.items() for r in by_class[name][first : first + n]]
        path = Path(folder, f"Split-{split}", "data_tfrecord-00000-of-00001.gz")
        path.parent.mkdir()
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for index in np.random.default_rng(0).permutation(len(chosen)):
                writer.write(chosen[index])
        return str(path)

    return UnevenFiles(
        train=write("train", 0, bar=9, disc=3, frame=5),
        validation=write("validation", 9, bar=2, disc=3, frame=1),
    )


@pytest.fixture
def placed(monkeypatch) -> list[str]:
    """`training.device` of what runs within `devices.placement`; empty outside of it."""
    from components.trainer.fitting import devices

    inside: list[str] = []

    @contextlib.contextmanager
    def placement(training) -> Iterator[None]:
        inside.append(training.device)
        yield
        inside.pop()

    monkeypatch.setattr(devices, "placement", placement)
    return inside


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    """Layers that are made in the test compute in float16."""
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")
