"""A killed phase goes on as if nothing had happened."""

import os
from pathlib import Path
from types import SimpleNamespace

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
    # Eagerly: eight steps do not pay for a graph.
    model.compile(keras.optimizers.Adam(0.05), "mse", metrics=[accuracy], run_eagerly=True)
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


@pytest.fixture(scope="module")
def whole_state(tmp_path_factory):
    return tmp_path_factory.mktemp("whole") / "state.npz"


@pytest.fixture(scope="module")
def whole(whole_state):
    """Model and checkpoint of a training that nothing disturbed."""
    return train(whole_state)


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> bytes:
    """The state of a training that was killed after three epochs."""
    path = tmp_path_factory.mktemp("killed") / "state.npz"
    with pytest.raises(KeyboardInterrupt):
        train(path, kill_after=3)
    return path.read_bytes()


def assert_equal(one, other):
    """Two trainings: their models and checkpoints."""
    assert one[1].history == other[1].history
    for weights in zip(one[0].get_weights(), other[0].get_weights(), strict=True):
        np.testing.assert_array_equal(*weights)


@pytest.mark.slow
def test_the_resumed_curve_is_the_uninterrupted_one_to_the_bit(whole, killed, tmp_path):
    (tmp_path / "killed.npz").write_bytes(killed)
    resumed = train(tmp_path / "killed.npz")
    assert_equal(resumed, whole)
    assert len(whole[1].history["loss"]) == 8 and resumed[1].best_epoch == whole[1].best_epoch


@pytest.mark.slow
def test_the_phase_ends_with_its_best_weights(whole):
    model, checkpoint = whole
    epochs = list(zip(*(checkpoint.history[k] for k in ("val_accuracy", "val_loss")), strict=True))
    accuracy, loss = epochs[checkpoint.best_epoch]
    assert accuracy == max(checkpoint.history["val_accuracy"])
    assert loss == min(loss for other, loss in epochs if other == accuracy)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx([loss, accuracy], rel=1e-5)


@pytest.mark.slow
def test_a_finished_phase_is_not_trained_again(whole, whole_state):
    found = Checkpoint(whole_state, 8, 0)
    found.restore(make_model())
    assert found.next_epoch == 8 and found.history == whole[1].history
    before = whole_state.stat().st_mtime_ns
    again = train(whole_state)
    assert whole_state.stat().st_mtime_ns == before and again[1].finished
    assert_equal(again, whole)


def test_patience_counts_epochs_since_the_best_across_a_restart(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state.npz", epochs=10, patience=2)
    assert not checkpoint.finished
    checkpoint.history = {"val_accuracy": [0.5, 0.4], "val_loss": [1.0, 2.0]}
    checkpoint.best_epoch = 0
    assert not checkpoint.finished
    checkpoint.history["val_loss"] = [1.0, 2.0, 3.0]
    assert checkpoint.finished


@pytest.mark.slow
def test_a_kill_while_saving_leaves_the_state_before(killed, tmp_path, monkeypatch):
    path = tmp_path / "state.npz"
    path.write_bytes(killed)

    def half(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(KeyboardInterrupt):
        train(path)
    assert path.read_bytes() == killed


def cut_off(content):
    return content[: len(content) // 2]


def changed(content):
    """One byte in the middle of an array: the file has its length, but not its checksum."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def assert_begins_anew(path):
    model, checkpoint = make_model(), Checkpoint(path, 8, 0)
    variables = [*model.variables, *model.optimizer.variables]
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in variables]
    checkpoint.restore(model)
    assert checkpoint.next_epoch == 0 and not checkpoint.history and not path.exists()
    for value, variable in zip(before, variables, strict=True):
        np.testing.assert_array_equal(value, variable)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [cut_off, changed, lambda content: b"", lambda content: b"junk"])
def test_a_damaged_file_is_named_and_the_phase_begins_anew(damage, killed, tmp_path, caplog):
    path = tmp_path / "state.npz"
    path.write_bytes(damage(killed))
    assert_begins_anew(path)
    assert f"{path} is damaged" in caplog.text


def test_the_state_of_another_network_leaves_the_model_as_it_is(tmp_path, caplog):
    path = tmp_path / "state.npz"
    other = Checkpoint(path, 8, 0)
    other.set_model(make_model())
    other.on_epoch_end(0, {"val_accuracy": 0.5, "val_loss": 1.0})
    with np.load(path) as state:
        arrays = dict(state)
    arrays["best-2"] = np.zeros((9, 9), np.float32)
    np.savez(path, **arrays)
    assert_begins_anew(path)
    assert "it holds (9, 9) where" in caplog.text


def test_the_state_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("fsync"), fsync(number)))
    monkeypatch.setattr(Path, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    train(tmp_path / "state.npz", epochs=1)
    assert done == ["fsync", "replace"]
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


@pytest.mark.parametrize(("patience", "ends"), [(2, [False, False, True]), (0, [False] * 3)])
def test_of_equal_epochs_the_first_is_best_and_the_others_are_waited_for(patience, ends, tmp_path):
    weights = iter([[np.array(number)] for number in range(3)])
    model = SimpleNamespace(
        optimizer=None, variables=[], get_weights=lambda: next(weights), set_weights=list
    )
    checkpoint = Checkpoint(tmp_path / "state.npz", epochs=9, patience=patience)
    checkpoint.set_model(model)
    found = []
    for epoch in range(3):
        checkpoint.on_epoch_end(epoch, {"val_accuracy": 0.5, "val_loss": 1.0})
        found.append(model.stop_training)
    assert found == ends and checkpoint.best_epoch == 0
    assert checkpoint.history == {"val_accuracy": [0.5] * 3, "val_loss": [1.0] * 3}
    model.set_weights = found.append
    checkpoint.end_with_best(model)
    assert found[-1] == [np.array(0)]


def test_what_was_best_before_a_kill_is_what_the_phase_ends_with(tmp_path):
    model, again = make_model(), make_model()
    checkpoint = Checkpoint(tmp_path / "state.npz", epochs=9, patience=0)
    checkpoint.set_model(model)
    for epoch, accuracy in enumerate((0.9, 0.1)):
        model.set_weights([np.full_like(w, epoch + 1) for w in model.get_weights()])
        checkpoint.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": 1.0})
    resumed = Checkpoint(tmp_path / "state.npz", epochs=9, patience=0)
    resumed.restore(again)
    assert (resumed.best_epoch, resumed.next_epoch) == (0, 2)
    assert resumed.history == checkpoint.history
    assert all((weight == 2).all() for weight in again.get_weights()), "it goes on from the last"
    resumed.end_with_best(again)
    assert all((weight == 1).all() for weight in again.get_weights())
