"""Augmentation is a pure function of (picture, view), and its ranges mean what they say."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from components.transform.augment import augment
from components.transform.config import AugmentationSettings

SIZE = 32
VIEWS = range(1, 41)


@pytest.fixture(scope="module")
def picture():
    """float32 [32, 32, 3], 0..255, different in every corner."""
    rng = np.random.default_rng(0)
    small = rng.uniform(20, 235, (4, 4, 3)).astype(np.float32)
    return tf.image.resize(small, [SIZE, SIZE])


def run_views(picture, views, image_hash=7, seed=0, **settings):
    """What each view makes of the picture, all in one batch."""
    number = len(views)
    return augment(
        tf.repeat(picture[tf.newaxis], number, axis=0),
        tf.constant([image_hash] * number, tf.int64),
        tf.constant(list(views), tf.int64),
        AugmentationSettings(**settings),
        seed,
    ).numpy()


def run(picture, view=1, **arguments):
    return run_views(picture, [view], **arguments)[0]


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


def test_view_0_is_the_picture_as_it_is(picture):
    pixels = run(picture, view=0, vertical_flip=True, **EVERYTHING)
    np.testing.assert_allclose(pixels, picture.numpy(), atol=1e-3)


@pytest.mark.parametrize(("setting", "axis"), [("horizontal_flip", 1), ("vertical_flip", 0)])
def test_flip_gives_the_picture_or_its_mirror_image_about_equally_often(picture, setting, axis):
    mirrored = 0
    for pixels in run_views(picture, VIEWS, **{setting: True}):
        is_mirrored = np.allclose(pixels, np.flip(picture.numpy(), axis), atol=0.1)
        assert is_mirrored or np.allclose(pixels, picture.numpy(), atol=0.1)
        mirrored += is_mirrored
    assert 10 <= mirrored <= 30


def test_shift_moves_by_at_most_the_fraction_and_in_both_directions(picture):
    dot = np.zeros((SIZE, SIZE, 3), np.float32)
    dot[16, 16] = 255.0
    columns = []
    for pixels in run_views(dot, VIEWS, width_shift=0.25, fill_mode="constant"):
        rows, cols = np.nonzero(pixels[..., 0] > 60)
        assert set(rows) == {16}, "a shift of the width must not move rows"
        columns.append(cols.mean())
    assert min(columns) >= 16 - 0.25 * SIZE - 1 and max(columns) <= 16 + 0.25 * SIZE + 1
    assert min(columns) < 14 and max(columns) > 18


CENTRE = (SIZE - 1) / 2


def spot(x, y):
    """float32 [32, 32, 3]: a soft bright spot, x to the right and y down from the centre."""
    rows, cols = np.mgrid[:SIZE, :SIZE] - CENTRE
    light = 255.0 * np.exp(-((cols - x) ** 2 + (rows - y) ** 2) / 8)
    return np.repeat(light[..., None], 3, -1).astype(np.float32)


def place(pixels):
    """Where the spot is, x to the right and y down from the centre."""
    rows, cols = np.mgrid[:SIZE, :SIZE] - CENTRE
    light = pixels[..., 0] / pixels[..., 0].sum()
    return float((light * cols).sum()), float((light * rows).sum())


def places(x, y, **settings):
    """Where 40 views have the spot."""
    seen = run_views(spot(x, y), VIEWS, fill_mode="constant", **settings)
    return [place(pixels) for pixels in seen]


def test_rotation_turns_about_the_centre_by_at_most_the_fraction_of_a_turn_either_way():
    turned = places(8, 0, rotation=0.1)
    np.testing.assert_allclose([np.hypot(x, y) for x, y in turned], 8, atol=0.3)
    degrees = [np.degrees(np.arctan2(y, x)) for x, y in turned]
    assert -37 < min(degrees) < -27 and 27 < max(degrees) < 37
    turned_by = np.degrees(np.arctan2(*reversed(place(run(spot(0, 8), 1, rotation=0.1))))) - 90
    assert turned_by == pytest.approx(degrees[0], abs=1.5), "all points by the same angle"


def test_shear_slants_upright_lines_by_at_most_its_degrees_and_keeps_level_ones():
    slanted = places(0, 8, shear=20)
    degrees = [np.degrees(np.arctan2(x, 8)) for x, _ in slanted]
    assert -21 < min(degrees) < -14 and 14 < max(degrees) < 21
    np.testing.assert_allclose(places(8, 0, shear=20), [(8, 0)] * 40, atol=0.1)


def test_width_and_height_are_shifted_by_draws_of_their_own():
    x, y = np.transpose(places(0, 0, width_shift=0.25, height_shift=0.125))
    assert -8.2 < min(x) < -5 and 5 < max(x) < 8.2
    assert -4.1 < min(y) < -2.5 and 2.5 < max(y) < 4.1
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.5
    columns, rows = np.transpose(places(0, 0, height_shift=0.125))
    np.testing.assert_allclose(columns, 0, atol=0.05)
    assert np.ptp(rows) > 5


def test_all_four_pairs_of_flips_occur(picture):
    flipped = {
        pair: np.flip(picture.numpy(), [axis for axis, is_flipped in enumerate(pair) if is_flipped])
        for pair in itertools.product((False, True), repeat=2)
    }
    pairs = []
    for pixels in run_views(picture, VIEWS, horizontal_flip=True, vertical_flip=True):
        pairs += [pair for pair, expected in flipped.items() if np.abs(pixels - expected).max() < 1]
    assert len(pairs) == 40
    assert all(pairs.count(pair) >= 3 for pair in flipped)


def test_zoom_scales_the_area_within_its_range():
    rows, cols = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    disc = np.repeat(np.where(rows**2 + cols**2 < 64, 255.0, 0.0)[..., None], 3, -1)
    seen = run_views(disc.astype(np.float32), range(1, 31), zoom=0.2, fill_mode="constant")
    areas = [(pixels / 255).sum() for pixels in seen]
    area = disc.sum() / 255
    assert min(areas) > area / 1.2**2 * 0.95 and max(areas) < area / 0.8**2 * 1.05
    assert min(areas) < area * 0.9 and max(areas) > area * 1.1


def ramp(columns):
    """What a picture whose brightness grows to the right has at some columns."""
    return 20 + 6 * np.asarray(columns, np.float32)


RAMP = np.broadcast_to(ramp(range(SIZE))[None, :, None], (SIZE, SIZE, 3))


@pytest.fixture(scope="module")
def shifts():
    """Two views with their shifts, one to each side, told by what they have in the middle."""
    seen = run_views(RAMP, VIEWS, width_shift=0.5, fill_mode="nearest")
    of_view = {
        view: float(pixels[0, SIZE // 2, 0] - ramp(SIZE // 2)) / 6
        for view, pixels in zip(VIEWS, seen, strict=True)
    }
    return [
        next((view, shift) for view, shift in of_view.items() if 3 < sign * shift < 14)
        for sign in (1, -1)
    ]


@pytest.mark.parametrize(
    ("fill_mode", "source"),
    [
        ("nearest", lambda x: np.clip(x, 0, SIZE - 1)),
        ("reflect", lambda x: np.where(x < 0, -x - 1, np.where(x > SIZE - 1, 2 * SIZE - 1 - x, x))),
        ("wrap", lambda x: x % SIZE),
        ("constant", None),
    ],
)
def test_what_comes_from_outside_is_filled_as_the_mode_says(fill_mode, source, shifts):
    for view, shift in shifts:
        row = run(RAMP, view=view, width_shift=0.5, fill_mode=fill_mode)[SIZE // 2, :, 0]
        came_from = np.arange(SIZE) + shift
        outside = (came_from < -1) | (came_from > SIZE)
        assert 2 <= outside.sum() <= 16
        expected = np.zeros(SIZE) if source is None else ramp(source(came_from))
        if fill_mode == "wrap":  # where the edges meet, a point lies between two distant columns
            outside &= (expected > ramp(1)) & (expected < ramp(SIZE - 2))
        off = 0 if source is None else 4
        np.testing.assert_allclose(row[outside], expected[outside], atol=off)


def test_contrast_scales_the_distance_to_the_mean_of_each_channel():
    rng = np.random.default_rng(0)
    picture = rng.uniform(100, 150, (SIZE, SIZE, 3)).astype(np.float32)
    factors = []
    for pixels in run_views(picture, VIEWS, contrast=0.5):
        means = picture.mean(axis=(0, 1))
        np.testing.assert_allclose(pixels.mean(axis=(0, 1)), means, atol=0.01)
        factors.append(np.std(pixels - means) / np.std(picture - means))
        np.testing.assert_allclose(pixels - means, factors[-1] * (picture - means), atol=0.05)
    assert 0.5 <= min(factors) < 0.65 and 1.35 < max(factors) <= 1.5


def test_brightness_shifts_all_pixels_alike_and_the_result_stays_in_range(picture):
    shift = run(picture, brightness=0.05) - picture.numpy()
    assert 0.1 < np.abs(shift).max() <= 0.05 * 255 + 1e-3
    assert np.ptp(shift) < 1e-3
    seen = run_views(picture, VIEWS, brightness=0.05)
    shifts = [float((pixels - picture.numpy()).mean()) for pixels in seen]
    assert 0.8 * 0.05 * 255 < max(shifts) <= 0.05 * 255 + 1e-3
    assert 0.8 * 0.05 * 255 < -min(shifts) <= 0.05 * 255 + 1e-3
    loud = run(picture, brightness=1.0, contrast=1.0, view=5)
    assert loud.min() >= 0.0 and loud.max() <= 255.0


def test_switching_one_change_on_leaves_the_others_draws_alone(picture):
    alone = run(picture, brightness=0.05) - picture.numpy()
    with_flip = run(picture, brightness=0.05, horizontal_flip=True)
    undone = [np.flip(with_flip, 1), with_flip]
    assert min(np.abs(u - picture.numpy() - alone).max() for u in undone) < 0.1


def test_shares_of_a_shift_are_those_of_its_own_side():
    rows = np.broadcast_to(np.arange(16, dtype=np.float32)[:, None, None] * 10, (16, 64, 3))
    moved = run_views(rows.copy(), range(1, 21), height_shift=0.25, fill_mode="nearest") - rows
    assert 0.7 * 40 < np.abs(moved).max() <= 40 + 1e-3


def test_ways_to_share_and_to_fill_views_change_no_pixel():
    assert not AugmentationSettings(views=8, fill_mode="wrap").changes_pixels
    for name, value in {**EVERYTHING, "vertical_flip": True}.items():
        assert AugmentationSettings(**{name: value}).changes_pixels, name


def test_width_and_height_are_zoomed_by_draws_of_their_own():
    x, y = np.transpose(places(8, 8, zoom=0.2)) / 8
    for side in (x, y):
        assert 0.8 < min(side) < 0.9 and 1.1 < max(side) < 1.3
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.5


def test_contrast_and_brightness_have_draws_of_their_own(picture):
    spread = run_views(picture, VIEWS, contrast=0.1).std(axis=(1, 2, 3))
    means = run_views(picture, VIEWS, brightness=0.05).mean(axis=(1, 2, 3))
    assert abs(np.corrcoef(spread, means)[0, 1]) < 0.5


def test_between_two_points_of_the_source_lies_what_is_between_their_values():
    seen = run_views(RAMP, VIEWS, width_shift=0.25, fill_mode="nearest")
    columns = (seen[:, 0, SIZE // 2, 0] - 20) / 6
    off = np.abs(columns - np.round(columns))
    assert max(off) > 0.4 and np.median(off) == pytest.approx(0.25, abs=0.1)
