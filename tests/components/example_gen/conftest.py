"""Pictures to test with, made on the spot."""

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.beam_config import BeamSettings


def _smooth_image(seed: int, width: int = 40, height: int = 30) -> Image.Image:
    """A coloured gradient, different for each seed; compresses like a photograph."""
    rng = np.random.default_rng(seed)
    corners = Image.fromarray(rng.integers(0, 256, (3, 4, 3), dtype=np.uint8))
    return corners.resize((width, height), Image.Resampling.BICUBIC)


def _encode(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def full_disk(monkeypatch):
    """No file can be written to its end."""

    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)


@pytest.fixture(scope="session")
def smooth_image():
    """`smooth_image(seed, width=40, height=30)` gives an RGB Pillow image."""
    return _smooth_image


@pytest.fixture(scope="session")
def encode():
    """`encode(image, "PNG", **options)` gives a file's bytes."""
    return _encode


@pytest.fixture(scope="session")
def fill():
    """`fill(root, {"cats": 3, "train/dogs": 2})` writes that many distinct pictures per folder."""

    def write(root: Path, counts: dict[str, int]) -> Path:
        for number, (folder, count) in enumerate(counts.items()):
            (root / folder).mkdir(parents=True)
            for index in range(count):
                data = _encode(_smooth_image(1000 * number + index), "PNG")
                (root / folder / f"{index}.png").write_bytes(data)
        return root

    return write


class Node:
    """ImageExampleGen's executor, and what reads the files that it leaves."""

    def run(self, source, uri, unlabelled="", fingerprint="", **settings):
        """Fills an Examples artifact at `uri`, and gives it."""
        from tfx.types import standard_artifacts

        from components.example_gen import executor
        from components.example_gen.config import DataSettings

        examples = standard_artifacts.Examples()
        examples.uri = str(uri)
        context = executor.Executor.Context(beam_pipeline_args=BeamSettings().pipeline_args())
        executor.Executor(context).Do(
            input_dict={},
            output_dict={"examples": [examples]},
            exec_properties={
                "source": str(source),
                "settings": DataSettings(**settings).model_dump_json(),
                "unlabelled": str(unlabelled),
                "input_fingerprint": fingerprint,
                "code_digest": "",
            },
        )
        return examples

    def records(self, uri, split) -> list[dict]:
        """All examples of a split in the order of its files; single values, bytes or int."""
        import tensorflow as tf

        from components import features

        files = sorted(str(path) for path in Path(uri, f"Split-{split}").iterdir())
        records = []
        for record in tf.data.TFRecordDataset(files, features.COMPRESSION).as_numpy_iterator():
            example = tf.train.Example.FromString(record)
            records.append(
                {
                    name: getattr(feature, feature.WhichOneof("kind")).value[0]
                    for name, feature in example.features.feature.items()
                }
            )
        return records

    def all_records(self, uri) -> list[dict]:
        """Those of the labelled pictures."""
        from components import features

        return [record for split in features.SPLITS for record in self.records(uri, split)]

    def table(self, uri) -> dict[str, dict]:
        """The rows of `pictures.parquet` by path."""
        import pyarrow.parquet as pq

        rows = pq.read_table(Path(uri, "pictures.parquet")).to_pylist()
        return {row["path"]: row for row in rows}


@pytest.fixture(scope="session")
def node() -> Node:
    """The node, whose Beam runs in this process."""
    return Node()
