"""A killed phase goes on as if nothing had happened."""

import keras
import numpy as np
import pytest

from components.trainer.fitting.checkpoint import Checkpoint, rank, ranks

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


def test_the_resumed_curve_is_the_uninterrupted_one_to_the_bit(tmp_path):
    whole_model, whole = train(tmp_path / "whole.npz")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed.npz", kill_after=3)
    model, resumed = train(tmp_path / "killed.npz")
    assert resumed.history == whole.history and len(whole.history["loss"]) == 8
    assert resumed.best_epoch == whole.best_epoch
    for one, other in zip(whole_model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_phase_ends_with_its_best_weights(tmp_path):
    model, checkpoint = train(tmp_path / "state.npz")
    epochs = list(zip(*(checkpoint.history[k] for k in ("val_accuracy", "val_loss")), strict=True))
    accuracy, loss = epochs[checkpoint.best_epoch]
    assert accuracy == max(checkpoint.history["val_accuracy"])
    assert loss == min(loss for other, loss in epochs if other == accuracy)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx([loss, accuracy], rel=1e-5)


def test_with_class_weights_the_weighted_accuracy_chooses():
    history = {"val_accuracy": [0.9, 0.8], "val_loss": [0.1, 0.2]}
    assert ranks(history)[0] > ranks(history)[1]
    weighted = history | {"val_weighted_accuracy": [0.6, 0.7]}
    assert ranks(weighted)[0] < ranks(weighted)[1]


def test_accuracy_comes_first_and_the_loss_breaks_ties():
    assert rank(0.9, 0.3) > rank(0.8, 0.1)
    assert rank(0.9, 0.2) > rank(0.9, 0.3)


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
