"""The kept activations: equal to the direct ones, complete, and shuffled across views."""

import functools
import shutil
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from components import progress
from components.errors import UserError
from components.trainer.inputs import constant_graph
from components.trainer.inputs.activation_cache import (
    Cached,
    encode,
    is_complete,
    joined,
    require_space,
)

COUNT, VIEWS = 10, 3
PARTS = (slice(0, 7), slice(7, COUNT))


def pixels_of(view):
    rng = np.random.default_rng(view)
    return rng.uniform(-1, 1, (COUNT, 4, 4, 3)).astype(np.float32)


def batches(views=(1, 2, 3)):
    labels = np.repeat(np.arange(COUNT, dtype=np.int64), len(views))
    pixels = np.concatenate(np.stack([pixels_of(view) for view in views], axis=1))
    return tf.data.Dataset.from_tensor_slices((pixels, labels)).batch(4 * len(views))


@pytest.fixture(scope="module")
def encoder():
    inputs = keras.Input((4, 4, 3))
    tensors = {"sum": keras.ops.sum(inputs, axis=(1, 2)), "same": keras.layers.ReLU()(inputs)}
    return functools.partial(constant_graph.inference, keras.Model(inputs, tensors)), tensors


@pytest.fixture
def cached(encoder, tmp_path):
    return encode("train", *encoder, batches, VIEWS, COUNT, tmp_path)


def test_every_view_is_kept_to_float16_precision(cached):
    assert cached["sum"].activations.shape == (VIEWS, COUNT, 3)
    for index, view in enumerate((1, 2, 3)):
        np.testing.assert_allclose(
            cached["sum"].activations[index], pixels_of(view).sum(axis=(1, 2)), atol=5e-3
        )
        np.testing.assert_allclose(
            cached["same"].activations[index], np.maximum(pixels_of(view), 0), atol=5e-4
        )
    assert cached["sum"].labels.tolist() == list(range(COUNT))


def test_it_is_made_once_and_found_again_after_a_restart(cached, encoder, tmp_path):
    def nothing():
        raise AssertionError("encoded a second time")

    again = encode("train", *encoder, nothing, VIEWS, COUNT, tmp_path)
    np.testing.assert_array_equal(again["sum"].activations, cached["sum"].activations)
    np.testing.assert_array_equal(again["sum"].labels, cached["sum"].labels)


def test_no_kept_batches_wait_for_a_tuner(cached):
    kept = cached["sum"]
    for dataset in (kept.training_batches(4, 0), kept.validation_batches(4)):
        assert dataset.options().autotune.enabled is False


def test_what_a_kill_left_half_done_is_made_anew(encoder, tmp_path):
    def killed():
        yield next(iter(batches()))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode("train", *encoder, killed, VIEWS, COUNT, tmp_path)
    cached = encode("train", *encoder, batches, VIEWS, COUNT, tmp_path)
    assert np.abs(cached["sum"].activations).min(axis=(1, 2)).min() > 0


def test_a_kill_before_the_labels_are_kept_leaves_nothing_that_seems_whole(
    encoder, tmp_path, monkeypatch
):
    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        encode("train", *encoder, batches, VIEWS, COUNT, tmp_path)
    assert not is_complete("train", tmp_path)


def test_progress_counts_views_of_pictures(encoder, tmp_path):
    steps = []
    with progress.watched_by(steps.append):
        encode("train", *encoder, batches, VIEWS, COUNT, tmp_path)
    assert steps[-1].done == steps[-1].total == VIEWS * COUNT
    assert [s.done for s in steps] == sorted(s.done for s in steps)


@pytest.fixture
def numbered():
    """Activations that say which view of which picture they are."""
    activations = np.zeros((VIEWS, COUNT, 2), np.float16)
    activations[..., 0] = np.arange(VIEWS)[:, None]
    activations[..., 1] = np.arange(COUNT)
    return Cached(activations, np.arange(COUNT, dtype=np.int64))


def epochs(dataset, number):
    batches = iter(dataset)
    return [
        np.concatenate([x.numpy() for x, _ in (next(batches) for _ in range(3))])
        for _ in range(number)
    ]


def test_an_epoch_holds_every_picture_once_in_mixed_views(numbered):
    first, second = epochs(numbered.training_batches(4, seed=0), 2)
    assert sorted(first[:, 1]) == list(range(COUNT))
    assert len(set(first[:, 0])) > 1, "views are mixed within an epoch"
    assert first[:, 1].tolist() != second[:, 1].tolist()


def test_as_many_epochs_as_views_show_every_view_once(numbered):
    first, *others, again = epochs(numbered.training_batches(4, 0), 4)
    seen = {tuple(row) for epoch in (first, *others) for row in epoch}
    assert len(seen) == VIEWS * COUNT
    assert set(map(tuple, again)) != set(map(tuple, first)), "the next turn is dealt anew"


def test_a_restart_goes_on_where_the_killed_training_was(numbered):
    whole = epochs(numbered.training_batches(4, seed=0), 5)
    resumed = epochs(numbered.training_batches(4, seed=0, first_epoch=3), 2)
    for one, other in zip(whole[3:], resumed, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_seed_fixes_the_order_and_the_views(numbered):
    (one, *_), (again, *_), (other, *_) = (
        epochs(numbered.training_batches(4, seed), 1) for seed in (0, 0, 5)
    )
    np.testing.assert_array_equal(one, again)
    assert one[:, 1].tolist() != other[:, 1].tolist(), "another order"
    views = [rows[np.argsort(rows[:, 1]), 0].tolist() for rows in (one, other)]
    assert views[0] != views[1], "other views of the pictures"


def test_labels_stay_with_their_pictures(numbered):
    for x, y in numbered.training_batches(4, seed=0).take(6):
        np.testing.assert_array_equal(x[:, 1], tf.cast(y, tf.float32))


def test_targets_stay_with_their_pictures_too(numbered):
    targets = np.stack([np.arange(COUNT), 10 * np.arange(COUNT)], axis=1).astype(np.float32)
    for x, y in numbered.training_batches(4, seed=0, targets=targets).take(6):
        assert y.dtype == tf.float32
        np.testing.assert_array_equal(y[:, 1], 10 * x[:, 1])
    for _, y in numbered.validation_batches(4):
        assert y.dtype == tf.int64


def test_kept_parts_are_trained_on_as_one(numbered):
    parts = [Cached(numbered.activations[:, rows], numbered.labels[rows]) for rows in PARTS]
    both = joined(*parts)
    for one, whole in zip(
        both.training_batches(4, seed=0).take(6),
        numbered.training_batches(4, seed=0).take(6),
        strict=True,
    ):
        np.testing.assert_array_equal(one[0], whole[0])
        np.testing.assert_array_equal(one[1], whole[1])
    np.testing.assert_array_equal(np.asarray(both.activations), numbered.activations)


def test_validation_is_view_0_in_order(numbered):
    batches = numbered.validation_batches(4)
    assert int(batches.cardinality()) == 3
    rows = np.concatenate([x.numpy() for x, _ in batches])
    assert rows[:, 1].tolist() == list(range(COUNT)) and set(rows[:, 0]) == {0}


def test_a_disk_that_is_too_small_is_found_before_any_work(tmp_path):
    tensors = {"cut": keras.KerasTensor((None, 10, 10, 96), "float32")}
    with pytest.raises(ValueError, match=r"augmentation\.views: .*has only .* MB free"):
        require_space(tensors, 10**12, tmp_path)
    require_space(tensors, 10, tmp_path)


def test_a_disk_that_is_too_small_is_told_with_what_it_has(tmp_path, monkeypatch):
    tensors = {"cut": keras.KerasTensor((None, 10, 50), "float32")}  # 1,000 bytes a view
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: types.SimpleNamespace(free=2_000_000))
    says = r"keeping 5,000 views takes 5 MB, and the model 3 MB, but .* has only 2 MB free"
    with pytest.raises(UserError, match=says):
        require_space(tensors, 5_000, tmp_path, reserved_bytes=3_000_000)


def test_what_else_must_be_written_counts(tmp_path, monkeypatch):
    tensors = {"cut": keras.KerasTensor((None, 100), "float32")}  # 200 bytes a view
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: types.SimpleNamespace(free=2_500))
    require_space(tensors, 10, tmp_path, reserved_bytes=500)
    with pytest.raises(UserError, match=r"takes 0 MB, and the model 0 MB, but .*has only 0 MB"):
        require_space(tensors, 10, tmp_path, reserved_bytes=501)
    with pytest.raises(UserError):
        require_space({**tensors, "pooled": tensors["cut"]}, 10, tmp_path)


@pytest.mark.parametrize("name", ["train-sum.f16", "train-labels.npy"])
@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_damaged_files_are_made_again(name, content, cached, encoder, tmp_path, caplog):
    before = {key: np.array(kept.activations) for key, kept in cached.items()}
    del cached
    (tmp_path / name).write_bytes(content)
    again = encode("train", *encoder, batches, VIEWS, COUNT, tmp_path)
    assert f"{name} is damaged" in caplog.text
    assert is_complete("train", tmp_path)
    for key, kept in again.items():
        np.testing.assert_array_equal(kept.activations, before[key])
        assert kept.labels.tolist() == list(range(COUNT))


def test_a_file_that_is_gone_is_made_again(cached, encoder, tmp_path, caplog):
    before = np.array(cached["sum"].activations)
    (tmp_path / "train-sum.f16").unlink()
    again = encode("train", *encoder, batches, VIEWS, COUNT, tmp_path)
    assert "train-sum.f16 is damaged (0 bytes)" in caplog.text
    np.testing.assert_array_equal(again["sum"].activations, before)


def test_the_disk_is_taken_before_the_first_picture(encoder, tmp_path):
    taken = {}

    def look():
        taken.update((path.name, path.stat().st_blocks * 512) for path in tmp_path.glob("*.f16"))
        return batches()

    encode("train", *encoder, look, VIEWS, COUNT, tmp_path)
    assert taken["train-sum.f16"] >= 2 * VIEWS * COUNT * 3
    assert taken["train-same.f16"] >= 2 * VIEWS * COUNT * 4 * 4 * 3


def test_a_kill_while_damaged_files_are_made_again_leaves_nothing_that_seems_whole(
    cached, encoder, tmp_path
):
    del cached
    (tmp_path / "train-sum.f16").write_bytes(b"cut off")

    def killed():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode("train", *encoder, killed, VIEWS, COUNT, tmp_path)
    assert not is_complete("train", tmp_path)
