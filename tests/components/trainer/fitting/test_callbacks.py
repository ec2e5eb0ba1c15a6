"""What a training tells whoever watches."""

import math

import pytest

from components import progress
from components.errors import UserError
from components.trainer.fitting import callbacks
from components.trainer.fitting.callbacks import ReportProgress, StopWhenNotFinite


@pytest.fixture
def told(monkeypatch):
    """Trains two epochs of three batches, a batch in 2 s and 4 s for validation; what was told."""
    now = 50.0
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now)
    steps, epochs = [], []
    callback = ReportProgress("frozen")
    callback.set_params({"steps": 3, "epochs": 2})
    with progress.watched_by(steps.append, epochs.append):
        for epoch in range(2):
            callback.on_epoch_begin(epoch)
            for batch in range(3):
                now += 2.0
                callback.on_train_batch_end(batch, {"loss": 0.5, "accuracy": 0.25})
            now += 4.0
            callback.on_epoch_end(epoch, {"loss": 0.5, "val_accuracy": 0.75})
    return steps, epochs


def test_every_batch_tells_how_long_the_phase_will_take(told):
    steps, _ = told
    assert [(step.task, step.done, step.total) for step in steps] == [
        (f"frozen, epoch {epoch} of 2", batch, 3) for epoch in (1, 2) for batch in (1, 2, 3)
    ]
    assert steps[0].detail == "loss 0.500, accuracy 0.250"
    # Nothing is known after the first; then 2 s a batch, and with a validation between them more.
    assert [step.seconds_left for step in steps] == [
        None, 8.0, 6.0, pytest.approx(10 / 3 * 2), 3.0, 0.0
    ]  # fmt: skip


def test_every_epoch_tells_its_figures(told):
    _, epochs = told
    found = [(epoch.phase, epoch.number, epoch.of) for epoch in epochs]
    assert found == [("frozen", 1, 2), ("frozen", 2, 2)]
    assert epochs[0].figures == {"loss": 0.5, "val_accuracy": 0.75}


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_the_first_loss_that_is_not_finite_ends_it_and_names_the_batch(loss):
    callback = StopWhenNotFinite("training.top")
    callback.on_train_batch_end(1, {"loss": 1e30})
    with pytest.raises(UserError) as caught:
        callback.on_train_batch_end(2, {"loss": loss})
    assert str(caught.value) == (
        f"training.top: the loss is {loss} at batch 3. Lower training.top.learning_rate"
    )
