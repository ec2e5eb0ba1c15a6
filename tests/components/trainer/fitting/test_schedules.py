"""The learning rate over the steps of a phase."""

import itertools

import pydantic
import pytest

from components.trainer.fitting.schedules import learning_rate
from components.trainer.settings.trainer import PhaseSettings


def rates(**settings):
    """The rate at each of 100 steps, and after the last."""
    schedule = learning_rate(
        PhaseSettings(epochs=10, learning_rate=0.1, **settings), steps_per_epoch=10
    )
    return [float(schedule(step)) for step in range(101)]


def test_constant_is_a_plain_number():
    assert learning_rate(PhaseSettings(learning_rate=0.1), 10) == 0.1


def test_cosine_falls_from_the_rate_to_zero_with_half_of_it_in_the_middle():
    r = rates(schedule="cosine")
    assert r[0] == pytest.approx(0.1) and r[50] == pytest.approx(0.05)
    assert r[100] == pytest.approx(0, abs=1e-9)
    assert all(a >= b for a, b in itertools.pairwise(r))


def test_warm_up_rises_for_its_epochs_then_the_cosine_falls():
    r = rates(schedule="cosine", warmup_epochs=2)
    assert r[0] == 0 and r[10] == pytest.approx(0.05) and r[20] == pytest.approx(0.1)
    assert max(r) == r[20] and r[60] == pytest.approx(0.05) and r[100] == pytest.approx(0, abs=1e-9)


def test_one_cycle_rises_for_a_quarter_from_a_25th_and_ends_at_almost_nothing():
    r = rates(schedule="one_cycle")
    assert r[0] == pytest.approx(0.004) and r[25] == max(r) == pytest.approx(0.1)
    assert 0 < r[100] < 1e-5


@pytest.mark.parametrize(
    "settings", [{}, {"schedule": "one_cycle"}, {"schedule": "cosine", "epochs": 2}]
)
def test_a_warm_up_that_cannot_be_is_refused(settings):
    with pytest.raises(pydantic.ValidationError, match="warmup_epochs"):
        PhaseSettings(warmup_epochs=2, **settings)


def test_a_phase_that_is_left_out_may_keep_its_warm_up():
    settings = PhaseSettings(epochs=0, schedule="cosine", warmup_epochs=2)
    assert settings.warmup_epochs == 2


@pytest.mark.parametrize(("epochs", "warmup_epochs"), [(1, 0.9), (2, 1.5)])
def test_with_a_step_an_epoch_the_warm_up_leaves_one_for_the_fall(epochs, warmup_epochs):
    phase = PhaseSettings(
        epochs=epochs, learning_rate=0.1, schedule="cosine", warmup_epochs=warmup_epochs
    )
    schedule = learning_rate(phase, steps_per_epoch=1)
    assert float(schedule(epochs - 1)) == pytest.approx(0.1)
    assert float(schedule(epochs)) == pytest.approx(0, abs=1e-9)


def test_one_cycle_of_a_single_step_has_a_rate():
    phase = PhaseSettings(epochs=1, learning_rate=0.1, schedule="one_cycle")
    schedule = learning_rate(phase, steps_per_epoch=1)
    assert float(schedule(0)) == pytest.approx(0.004) and float(schedule(1)) == pytest.approx(0.1)
