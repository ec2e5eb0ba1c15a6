"""A killed phase goes on as if nothing had happened."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest

from components.trainer.fitting.checkpoint import Checkpoint

X = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.float32)


def make_model():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(8), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    accuracy = keras.metrics.BinaryAccuracy("accuracy")
    model.compile(keras.optimizers.Adam(0.05), "mse", metrics=[accuracy], jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


class Kill(keras.callbacks.Callback):
    """Ends the process, as far as Keras can tell, after an epoch."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.after:
            raise KeyboardInterrupt


def train(path, epochs=8, patience=0, kill_after=None):
    model = make_model()
    checkpoint = Checkpoint(path, epochs, patience)
    checkpoint.restore(model)
    callbacks = [checkpoint, Kill(kill_after)] if kill_after else [checkpoint]
    if not checkpoint.finished:
        model.fit(
            X,
            Y,
            batch_size=32,
            shuffle=False,
            validation_data=(X, Y),
            initial_epoch=checkpoint.next_epoch,
            epochs=epochs,
            callbacks=callbacks,
            verbose=0,
        )
    checkpoint.end_with_best(model)
    return model, checkpoint


@pytest.mark.slow
def test_the_resumed_curve_is_the_uninterrupted_one_to_the_bit(tmp_path):
    whole_model, whole = train(tmp_path / "whole.npz")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed.npz", kill_after=3)
    model, resumed = train(tmp_path / "killed.npz")
    assert resumed.history == whole.history and len(whole.history["loss"]) == 8
    assert resumed.best_epoch == whole.best_epoch
    for one, other in zip(whole_model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_the_phase_ends_with_its_best_weights(tmp_path):
    model, checkpoint = train(tmp_path / "state.npz")
    epochs = list(zip(*(checkpoint.history[k] for k in ("val_accuracy", "val_loss")), strict=True))
    accuracy, loss = epochs[checkpoint.best_epoch]
    assert accuracy == max(checkpoint.history["val_accuracy"])
    assert loss == min(loss for other, loss in epochs if other == accuracy)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx([loss, accuracy], rel=1e-5)


@pytest.mark.slow
def test_a_finished_phase_is_not_trained_again(tmp_path):
    path = tmp_path / "state.npz"
    first, _ = train(path)
    before = path.stat().st_mtime_ns
    second, checkpoint = train(path)
    assert path.stat().st_mtime_ns == before and checkpoint.finished
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_patience_counts_epochs_since_the_best_across_a_restart(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state.npz", epochs=10, patience=2)
    assert not checkpoint.finished
    checkpoint.history = {"val_accuracy": [0.5, 0.4], "val_loss": [1.0, 2.0]}
    checkpoint.best_epoch = 0
    assert not checkpoint.finished
    checkpoint.history["val_loss"] = [1.0, 2.0, 3.0]
    assert checkpoint.finished


@pytest.mark.slow
def test_a_kill_while_saving_leaves_the_state_before(tmp_path, monkeypatch):
    path = tmp_path / "state.npz"
    with pytest.raises(KeyboardInterrupt):
        train(path, kill_after=2)
    before = path.read_bytes()

    def half(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(KeyboardInterrupt):
        train(path)
    assert path.read_bytes() == before


def cut_off(content):
    return content[: len(content) // 2]


def changed(content):
    """One byte in the middle of an array: the file has its length, but not its checksum."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


@pytest.mark.slow
@pytest.mark.parametrize("damage", [cut_off, changed, lambda content: b"", lambda content: b"junk"])
def test_a_damaged_file_is_named_and_the_phase_begins_anew(damage, tmp_path, caplog):
    path = tmp_path / "state.npz"
    whole_model, whole = train(tmp_path / "whole.npz")
    with pytest.raises(KeyboardInterrupt):
        train(path, kill_after=3)
    path.write_bytes(damage(path.read_bytes()))
    model, checkpoint = train(path)
    assert f"{path} is damaged" in caplog.text
    assert checkpoint.history == whole.history
    for one, other in zip(whole_model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_state_of_another_network_leaves_the_model_as_it_is(tmp_path, caplog):
    path = tmp_path / "state.npz"
    with pytest.raises(KeyboardInterrupt):
        train(path, kill_after=2)
    with np.load(path) as state:
        arrays = dict(state)
    arrays["best-2"] = np.zeros((9, 9), np.float32)
    np.savez(path, **arrays)
    model = make_model()
    before = model.get_weights()
    checkpoint = Checkpoint(path, 8, 0)
    checkpoint.restore(model)
    assert checkpoint.next_epoch == 0 and not path.exists()
    assert "it holds (9, 9) where" in caplog.text
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_state_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("fsync"), fsync(number)))
    monkeypatch.setattr(Path, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    train(tmp_path / "state.npz", epochs=1)
    assert done == ["fsync", "replace"]
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]
