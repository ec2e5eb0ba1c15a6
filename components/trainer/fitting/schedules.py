"""Learning rate schedules."""

import keras

from components.trainer.settings.trainer import PhaseSettings

# One cycle as fastai runs it: a quarter of the steps up from 1/25 of the rate, the rest down to
# almost nothing (Smith and Topin, "Super-Convergence", arXiv:1708.07120; the shares are fastai's).
_ONE_CYCLE_START = 1 / 25
_ONE_CYCLE_RISE = 0.25
_ONE_CYCLE_END = 1e-5


def learning_rate(
    phase: PhaseSettings, steps_per_epoch: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate of a phase, or its schedule, for an optimizer.

    Args:
        phase: its `learning_rate` is the highest, its `schedule` says how the steps get there.
        steps_per_epoch: optimizer steps in an epoch.
    """
    steps = phase.epochs * steps_per_epoch
    if phase.schedule == "one_cycle":
        rise = max(1, round(_ONE_CYCLE_RISE * steps))
        return keras.optimizers.schedules.CosineDecay(
            phase.learning_rate * _ONE_CYCLE_START,
            decay_steps=max(1, steps - rise),
            alpha=_ONE_CYCLE_END,
            warmup_target=phase.learning_rate,
            warmup_steps=rise,
        )
    if phase.schedule == "cosine":
        # At least one step is left for the fall, however few an epoch has.
        warmup = min(round(phase.warmup_epochs * steps_per_epoch), steps - 1)
        if not warmup:
            return keras.optimizers.schedules.CosineDecay(phase.learning_rate, steps)
        return keras.optimizers.schedules.CosineDecay(
            0.0, steps - warmup, warmup_target=phase.learning_rate, warmup_steps=warmup
        )
    return phase.learning_rate
