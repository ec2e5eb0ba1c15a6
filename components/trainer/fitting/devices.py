"""Which devices training runs on."""

import contextlib
import logging

import keras
import tensorflow as tf

from components.errors import UserError
from components.trainer.fitting import precision
from components.trainer.settings.trainer import Precision, TrainingSettings


def check_device(settings: TrainingSettings) -> None:
    """Finds a missing GPU, or a CPU without bf16, before any work is done.

    Raises:
        UserError: `training.device` demands a GPU and TensorFlow sees none, or
            `training.precision` demands bf16 and the CPU has none.
    """
    precision_of(settings)
    if settings.device == "gpu" and not tf.config.list_physical_devices("GPU"):
        raise UserError(
            "training.device is `gpu`, but TensorFlow sees no GPU here. "
            "`graft doctor` tells what it sees; `training.device: auto` trains on the CPU"
        )


def prepare(settings: TrainingSettings) -> tf.distribute.Strategy:
    """Sets the devices and the precision of this process.

    Returns:
        The strategy to build and train the model under: `MirroredStrategy` for several GPUs.

    Raises:
        UserError: see `check_device`.
    """
    check_device(settings)
    gpus = [] if settings.device == "cpu" else tf.config.list_logical_devices("GPU")
    if gpus and settings.mixed_precision:
        keras.config.set_dtype_policy("mixed_float16")
    logging.info("Training on %s, %s", gpus or "the CPU", keras.config.dtype_policy().name)
    if len(gpus) > 1:
        return tf.distribute.MirroredStrategy([gpu.name for gpu in gpus])
    if settings.device == "cpu" and tf.config.list_physical_devices("GPU"):
        return tf.distribute.OneDeviceStrategy("/CPU:0")
    return tf.distribute.get_strategy()


def placement(settings: TrainingSettings) -> contextlib.AbstractContextManager:
    """Keeps what runs in it off the GPUs where `training.device` is `cpu`.

    A strategy places variables and what Keras trains. What is called by itself, as encoders and
    teachers are, TensorFlow would still put on a GPU that it sees; and to hide that from it is too
    late in a process in which Transform has run.
    """
    leaves_gpus = settings.device == "cpu" and tf.config.list_physical_devices("GPU")
    return tf.device("/CPU:0") if leaves_gpus else contextlib.nullcontext()


def precision_of(settings: TrainingSettings) -> Precision:
    """What convolutions compute in on this machine: `float32` or `bf16`.

    On a GPU it is `mixed_precision` that decides.

    Raises:
        UserError: see `check_device`.
    """
    if settings.device != "cpu" and tf.config.list_physical_devices("GPU"):
        return "float32"
    return precision.resolve(settings.precision)
