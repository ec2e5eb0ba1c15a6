"""The learning rate range test: which rate to train a phase with.

The rate grows from step to step until the loss diverges (Smith, "Cyclical Learning Rates for
Training Neural Networks", arXiv:1506.01186); where the loss falls fastest is a rate to start with.
Losses are set against those of the same batches before the first step, so that easy and hard
batches do not bend the curve.
"""

import dataclasses
import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from components import progress
from components.errors import UserError
from components.trainer.fitting import devices
from components.trainer.fitting.callbacks import ReportProgress
from components.trainer.fitting.phases import compile_for_phase
from components.trainer.network.classifier import set_learning
from components.trainer.settings.trainer import PhaseSettings, TrainerSettings
from components.trainer.targets.labels import with_weights
from components.trainer.training_setup import TrainingSetup, open_inputs, set_up_training

LOWEST_RATE = 1e-6
HIGHEST_RATE = 10.0
STEPS = 100
# The test ends when the running mean of the loss is this many times its lowest, as in fastai.
_DIVERGED = 4.0
_RUNNING_MEAN_MEMORY = 0.9
# A rate is judged by its neighbours too, a quarter of a decade to each side.
_SMOOTHING_STEPS = 3.5
# So many rates are too low to change the loss.
_FIRST = 10
# A smaller fall of the loss is a matter of which pictures were in the batches.
_LEAST_FALL = 0.1
# Below the rate of the lowest loss: there it is about to rise.
_SAFETY = 10.0
# An epoch on fresh views cannot be solved; this one brings the head far enough.
_IN_PLACE_OF_A_SOLVER = {"optimizer": "adam", "learning_rate": 3e-3}


@dataclasses.dataclass(frozen=True)
class Curve:
    """The training loss at each learning rate of a range test.

    Attributes:
        rates: float64 [steps], growing.
        losses: float64 [steps]: of one batch each, before the step at that rate.
        untrained: float64 [steps]: of the same batches before the first step.
    """

    rates: np.ndarray
    losses: np.ndarray
    untrained: np.ndarray

    @property
    def smoothed(self) -> np.ndarray:
        """The losses without the noise of which pictures were in which batch: float64 [steps].

        Each is averaged with its neighbours, and divided by the loss of the same batches before the
        first step. Where a network is good already, an easy batch and a hard one differ by more
        than any rate changes.
        """
        steps = np.arange(len(self.losses))
        weights = np.exp(-0.5 * ((steps[:, None] - steps[None, :]) / _SMOOTHING_STEPS) ** 2)
        # The batches after the divergence would drown those before it.
        bounded = np.minimum(self.losses, _DIVERGED * self.untrained.max())
        return (weights @ bounded) / (weights @ self.untrained) * self.untrained.mean()


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """Learning rates that a curve suggests.

    Attributes:
        steepest: where the loss fell fastest.
        safe: a tenth of the rate at which it was lowest.
    """

    steepest: float
    safe: float


def range_test(model: keras.Model, batches: Callable[[], Iterable[tuple]]) -> Curve:
    """Trains with a rate that grows exponentially, until the loss diverges.

    Args:
        model: compiled, with an optimizer whose rate is a number and not a schedule. It keeps its
            weights; what the optimizer remembers is lost.
        batches: gives the same batches of (input, label) or (input, label, weight) at every call,
            `STEPS` or more.

    Returns:
        The curve up to the divergence.

    Raises:
        UserError: the loss is not a number from the beginning.
    """
    weights = model.get_weights()
    rates = np.geomspace(LOWEST_RATE, HIGHEST_RATE, STEPS)
    untrained = []
    for step, batch in zip(range(STEPS), batches(), strict=False):
        model.reset_metrics()  # or the loss is a mean over all batches so far
        untrained.append(model.test_on_batch(*batch, return_dict=True)["loss"])
        progress.report("range test, before", step + 1, STEPS, "loss of each batch")
    losses: list[float] = []
    for rate, batch in zip(rates, batches(), strict=False):
        model.optimizer.learning_rate = rate
        model.reset_metrics()
        loss = float(model.train_on_batch(*batch, return_dict=True)["loss"])
        if not math.isfinite(loss):
            break
        losses.append(loss)
        progress.report("range test", len(losses), STEPS, f"rate {rate:.1e}, loss {loss:.3f}")
        if diverged(losses, untrained):
            break
    model.set_weights(weights)
    if not losses:
        raise UserError(f"the loss is {loss} before the first step: are the weights damaged?")
    count = len(losses)
    return Curve(rates[:count], np.array(losses), np.array(untrained[:count]))


def diverged(losses: Sequence[float], untrained: Sequence[float]) -> bool:
    """Whether the running mean of the losses is far above its lowest value.

    Args:
        losses: so far.
        untrained: of the same batches before the first step.
    """
    mean, reference_loss, lowest = 0.0, 0.0, math.inf
    for loss, before in zip(losses, untrained, strict=False):
        mean = _RUNNING_MEAN_MEMORY * mean + loss
        reference_loss = _RUNNING_MEAN_MEMORY * reference_loss + before
        lowest = min(lowest, mean / reference_loss)
    return mean / reference_loss > _DIVERGED * lowest


def suggest(curve: Curve) -> Suggestion | None:
    """Suggests learning rates from the curve of a range test.

    Returns:
        Two rates, or None if no rate made the loss fall.
    """
    smoothed = curve.smoothed
    lowest = int(np.argmin(smoothed))
    if smoothed[lowest] > (1 - _LEAST_FALL) * smoothed[:_FIRST].mean():
        return None
    steepest = int(np.argmin(np.gradient(smoothed, np.log(curve.rates))[: lowest + 1]))
    return Suggestion(float(curve.rates[steepest]), float(curve.rates[lowest] / _SAFETY))


def phase_curve(
    settings: TrainerSettings, name: str, transform_graph: str, train_pattern: str
) -> Curve:
    """Runs the range test of a phase, on fresh views through the whole network.

    Network, initial bias, losses and weights are those of the training (see `training_setup`). The
    phases before it are trained for one epoch each, at their own rates: random weights in the head
    would send the backbone astray at every rate.

    Args:
        settings: of the Trainer.
        name: of one of the recipe's phases.
        transform_graph: folder of the Transform graph.
        train_pattern: glob of the example files of the train split.

    Raises:
        UserError: a setting cannot be met here: no GPU, no weights, a class that is not there.
    """
    phases = settings.training.phases
    inputs = open_inputs(settings, transform_graph, train_pattern)
    with devices.placement(settings.training), tempfile.TemporaryDirectory() as state:
        setup = set_up_training(inputs, Path(state))
    splits = setup.splits

    def batches(phase: PhaseSettings, epoch: int) -> tf.data.Dataset:
        reader = inputs.reader.with_batch_size(phase.batch_size)
        return with_weights(
            reader.training_batches(
                splits.train_files, splits.train_count, settings.seed, epoch, splits.train_targets
            ),
            setup.class_weights,
        )

    with devices.placement(settings.training), inputs.strategy.scope():
        before = list(phases)[: list(phases).index(name)]
        for epoch, earlier in enumerate(before):
            _compile(setup, phases[earlier], settings)
            setup.model.fit(
                batches(phases[earlier], epoch),
                steps_per_epoch=math.ceil(splits.train_count / phases[earlier].batch_size),
                callbacks=[ReportProgress(f"{earlier} first")],
                shuffle=False,  # the dataset has its own order, and Keras 3.15 warns
                verbose=0,
            )
        _compile(setup, phases[name], settings)
        return range_test(setup.model, lambda: batches(phases[name], len(before)))


def _compile(setup: TrainingSetup, phase: PhaseSettings, settings: TrainerSettings) -> None:
    """Compiles the network for a phase, with a constant learning rate."""
    if phase.is_solved:
        phase = phase.replaced(**_IN_PLACE_OF_A_SOLVER)
    phase = phase.replaced(schedule="constant", warmup_epochs=0.0)
    set_learning(setup.model, phase)
    compile_for_phase(setup.model, phase, 1, settings.training, settings.distillation)
