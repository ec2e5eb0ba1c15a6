"""Augmentation is a pure function of (picture, view), and its ranges mean what they say."""

import numpy as np
import pytest
import tensorflow as tf

from components.transform.augment import augment
from components.transform.config import AugmentationSettings

SIZE = 32


@pytest.fixture(scope="module")
def picture():
    """float32 [32, 32, 3], 0..255, different in every corner."""
    rng = np.random.default_rng(0)
    small = rng.uniform(20, 235, (4, 4, 3)).astype(np.float32)
    return tf.image.resize(small, [SIZE, SIZE])


def run(picture, view=1, image_hash=7, seed=0, **settings):
    return augment(
        picture[tf.newaxis],
        tf.constant([image_hash], tf.int64),
        tf.constant([view], tf.int64),
        AugmentationSettings(**settings),
        seed,
    )[0].numpy()


EVERYTHING = {
    "horizontal_flip": True,
    "rotation": 0.1,
    "width_shift": 0.1,
    "height_shift": 0.1,
    "shear": 10,
    "zoom": 0.2,
    "brightness": 0.1,
    "contrast": 0.2,
}


def test_equal_arguments_give_equal_pixels_eagerly_and_in_a_dataset(picture):
    eager = run(picture, **EVERYTHING)
    dataset = tf.data.Dataset.from_tensors(picture[tf.newaxis]).map(
        lambda p: augment(
            p,
            tf.constant([7], tf.int64),
            tf.constant([1], tf.int64),
            AugmentationSettings(**EVERYTHING),
            0,
        )
    )
    np.testing.assert_array_equal(eager, run(picture, **EVERYTHING))
    np.testing.assert_allclose(eager, next(iter(dataset))[0].numpy(), atol=1e-3)


@pytest.mark.parametrize("change", [{"view": 2}, {"image_hash": 8}, {"seed": 1}])
def test_another_view_picture_or_seed_gives_other_pixels(picture, change):
    assert np.abs(run(picture, **EVERYTHING) - run(picture, **change, **EVERYTHING)).mean() > 1.0


def test_no_setting_changes_no_pixel(picture):
    np.testing.assert_array_equal(run(picture), picture.numpy())


@pytest.mark.parametrize(("setting", "axis"), [("horizontal_flip", 1), ("vertical_flip", 0)])
def test_flip_gives_the_picture_or_its_mirror_image_about_equally_often(picture, setting, axis):
    mirrored = 0
    for view in range(1, 41):
        pixels = run(picture, view=view, **{setting: True})
        is_mirrored = np.allclose(pixels, np.flip(picture.numpy(), axis), atol=0.1)
        assert is_mirrored or np.allclose(pixels, picture.numpy(), atol=0.1)
        mirrored += is_mirrored
    assert 10 <= mirrored <= 30


def test_shift_moves_by_at_most_the_fraction_and_in_both_directions(picture):
    dot = np.zeros((SIZE, SIZE, 3), np.float32)
    dot[16, 16] = 255.0
    columns = []
    for view in range(1, 41):
        pixels = run(dot, view=view, width_shift=0.25, fill_mode="constant")
        rows, cols = np.nonzero(pixels[..., 0] > 60)
        assert set(rows) == {16}, "a shift of the width must not move rows"
        columns.append(cols.mean())
    assert min(columns) >= 16 - 0.25 * SIZE - 1 and max(columns) <= 16 + 0.25 * SIZE + 1
    assert min(columns) < 14 and max(columns) > 18


def test_rotation_keeps_the_centre_and_the_brightness_of_a_disc():
    rows, cols = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    disc = np.repeat(np.where(rows**2 + cols**2 < 100, 200.0, 20.0)[..., None], 3, -1)
    pixels = run(disc.astype(np.float32), rotation=0.5)
    # A disc about the centre looks the same however far it is turned.
    assert np.abs(pixels - disc).mean() < 6.0


def test_zoom_scales_the_area_within_its_range():
    rows, cols = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    disc = np.repeat(np.where(rows**2 + cols**2 < 64, 255.0, 0.0)[..., None], 3, -1)
    areas = [
        (run(disc.astype(np.float32), view=view, zoom=0.2, fill_mode="constant") / 255).sum()
        for view in range(1, 31)
    ]
    area = disc.sum() / 255
    assert min(areas) > area / 1.2**2 * 0.95 and max(areas) < area / 0.8**2 * 1.05
    assert min(areas) < area * 0.9 and max(areas) > area * 1.1


@pytest.mark.parametrize("fill_mode", ["reflect", "nearest", "constant", "wrap"])
def test_fill_mode_reaches_the_op(picture, fill_mode):
    pixels = run(picture, width_shift=0.5, view=3, fill_mode=fill_mode)
    black = (pixels == 0).all(axis=-1).mean()
    assert (black > 0.05) == (fill_mode == "constant")


def test_brightness_shifts_all_pixels_alike_and_the_result_stays_in_range(picture):
    shift = run(picture, brightness=0.05) - picture.numpy()
    assert 0.1 < np.abs(shift).max() <= 0.05 * 255 + 1e-3
    assert np.ptp(shift) < 1e-3
    loud = run(picture, brightness=1.0, contrast=1.0, view=5)
    assert loud.min() >= 0.0 and loud.max() <= 255.0


def test_switching_one_change_on_leaves_the_others_draws_alone(picture):
    alone = run(picture, brightness=0.05) - picture.numpy()
    with_flip = run(picture, brightness=0.05, horizontal_flip=True)
    undone = [np.flip(with_flip, 1), with_flip]
    assert min(np.abs(u - picture.numpy() - alone).max() for u in undone) < 0.1
