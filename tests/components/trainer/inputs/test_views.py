from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image

from components.pixels import decode, rescale
from components.trainer.inputs.examples import ExampleReader, encoded_picture, records
from components.trainer.inputs.views import shown_views, write_views


def test_the_first_view_is_the_picture_and_the_others_are_augmented(analyzed, tmp_path):
    reader = ExampleReader(tft.TFTransformOutput(analyzed.folder), 1)
    (record,) = records([analyzed.file]).take(1).as_numpy_iterator()
    views = shown_views(reader, record, range(3), "tf")
    assert views.shape == (3, 32, 32, 3) and views.dtype == np.uint8
    picture = decode(tf.constant(encoded_picture(record)), (32, 32)).numpy()
    assert np.abs(views[0] - picture).max() <= 1
    assert np.abs(views[1] - picture).max() > 10 and (views[1] != views[2]).any()

    write_views(reader, record, range(3), "tf", tmp_path)
    with Image.open(tmp_path / "views.jpg") as row:
        assert row.size == (96, 32)
        first = np.asarray(row, np.float32)[:, :32]
    assert np.abs(first - picture).mean() < 10


def test_a_row_is_as_wide_as_its_views_together(tmp_path):
    reader = SimpleNamespace(views=lambda record, views: np.zeros((3, 200, 200, 3), np.float32))
    write_views(reader, b"", range(3), "tf", tmp_path)
    with Image.open(tmp_path / "views.jpg") as row:
        assert row.size == (3 * 128, 128)


def test_what_augmentation_made_brighter_than_white_is_white():
    levels = np.stack([np.full((2, 2, 3), level, np.float32) for level in (-1.5, 1.5)])
    reader = SimpleNamespace(views=lambda record, views: levels)
    shown = shown_views(reader, b"", range(2), "tf")
    assert (shown[0] == 0).all() and (shown[1] == 255).all()


@pytest.mark.parametrize("value_range", ["tf", "torch", "caffe", "unit", "raw"])
def test_every_level_is_shown_as_itself(value_range):
    levels = np.arange(256 * 3, dtype=np.float32).reshape(1, 16, 16, 3) % 256
    reader = SimpleNamespace(views=lambda record, views: rescale(levels, value_range))
    np.testing.assert_array_equal(shown_views(reader, b"", [0], value_range), levels)
