"""Keras' optimizers, with a rate of its own for the backbone and with weight decay.

Adam and RMSprop take one operation of TensorFlow per variable, where Keras' own take a dozen, each
of which goes through memory: of a CPU's step that fine-tunes MobileNetV2 from layer 100 on, RMSprop
was a ninth, and tracing Adam took longer than tracing the network.
"""

from collections.abc import Iterable

import keras
import tensorflow as tf

from components.trainer.fitting.schedules import learning_rate
from components.trainer.settings.trainer import PhaseSettings

_ADAMW_DECAY = 0.004  # that of keras.optimizers.AdamW


class _PerVariable:
    """Optimizer mixin: a learning rate multiplier per variable, and decoupled weight decay.

    Keras has one rate for all variables. Scaling the backbone's gradients instead would do nothing
    under Adam and RMSprop, which divide by the gradients' size. Keras' own weight decay takes the
    rate that is for all, so it is done here too: decoupled from the gradient, before the step.
    """

    def __init__(
        self,
        rate: float | keras.optimizers.schedules.LearningRateSchedule,
        backbone: Iterable[keras.Variable],
        multiplier: float,
        decay: float,
    ):
        # Keras would name it after its class, and Keras 3.15 opens a scope of that name, which
        # TensorFlow refuses where it starts with an underscore.
        super().__init__(rate, name=type(self).__name__.strip("_").lower())
        self._backbone = frozenset(id(variable) for variable in backbone)
        self._multiplier = multiplier
        self._decay = decay

    def build(self, variables):
        super().build(variables)
        # By index: `update_step` gets a replica's copy of the variable.
        self._multipliers = [
            self._multiplier if id(variable) in self._backbone else 1.0 for variable in variables
        ]
        # Biases and normalization have one axis; drawing them to zero only harms.
        self._decays = [self._decay if len(v.shape) > 1 else 0.0 for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        if self._multipliers[index] != 1.0:
            learning_rate = learning_rate * self._multipliers[index]
        if self._decays[index]:
            self.assign_sub(variable, variable * (learning_rate * self._decays[index]))
        super().update_step(gradient, variable, learning_rate)


class _FusedAdam(keras.optimizers.Adam):
    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class _FusedRMSprop(keras.optimizers.RMSprop):
    def build(self, variables):
        super().build(variables)
        # The operation knows RMSprop with momentum alone; without it this is each step again.
        self._momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyRMSProp(
            var=variable.handle,
            ms=self._velocities[index].value.handle,
            mom=self._momentums[index].value.handle,
            lr=learning_rate,
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
            grad=gradient,
        )


class _Adam(_PerVariable, _FusedAdam):
    pass


class _RMSprop(_PerVariable, _FusedRMSprop):
    pass


class _SGD(_PerVariable, keras.optimizers.SGD):
    pass


_CLASSES = {"adam": _Adam, "adamw": _Adam, "rmsprop": _RMSprop, "sgd": _SGD}


def make_optimizer(
    phase: PhaseSettings, steps_per_epoch: int, backbone: Iterable[keras.Variable]
) -> keras.optimizers.Optimizer | None:
    """Makes the optimizer of a phase; None for one that is solved.

    Args:
        phase: its optimizer, rate, schedule, weight decay and multiplier.
        steps_per_epoch: optimizer steps in an epoch.
        backbone: the variables whose rate is multiplied by `phase.backbone_multiplier`.
    """
    if phase.is_solved:
        return None
    decay = phase.weight_decay
    if decay is None:
        decay = _ADAMW_DECAY if phase.optimizer == "adamw" else 0.0
    rate = learning_rate(phase, steps_per_epoch)
    return _CLASSES[phase.optimizer](rate, backbone, phase.backbone_multiplier, decay)
