"""bf16 arithmetic in convolutions, on CPUs that have instructions for it.

Everything else stays float32: the weights, the sums, BatchNorm, the head, what is exported. A
network that is bf16 throughout is slower, because what is no product gains nothing.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras

from components.errors import UserError
from components.trainer.settings.trainer import Precision

# As Linux names what oneDNN uses: matrix units, or dot products of vectors.
_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})
_CPU = Path("/proc/cpuinfo")


def resolve(asked: Precision) -> Precision:
    """What `training.precision` means on this machine: `float32` or `bf16`.

    It goes by what the CPU says of itself: a stopwatch would make trainings that nobody can repeat.

    Raises:
        UserError: it demands bf16, which this CPU does not have.
    """
    if asked == "float32":
        return asked
    if cpu_has_bf16():
        return "bf16"
    if asked == "bf16":
        raise UserError(
            f"training.precision is `bf16`, but this CPU has none of {', '.join(sorted(_FLAGS))}: "
            "set it to `auto`, which takes float32 here"
        )
    return "float32"


def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bf16 faster than float32, as far as Linux can tell."""
    try:
        text = _CPU.read_text(encoding="utf-8")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return not _FLAGS.isdisjoint(flags.split())


@contextlib.contextmanager
def convolutions_in(network: keras.Model, precision: Precision) -> Iterator[None]:
    """Has the convolutions of a network compute in a precision. Compile inside.

    Args:
        network: a backbone of `keras.applications`.
        precision: what `resolve` gave.
    """
    layers = _convolutions(network) if precision == "bf16" else []
    before = [layer.dtype_policy for layer in layers]
    for layer in layers:
        layer.dtype_policy = "mixed_bfloat16"
    try:
        yield
    finally:
        for layer, policy in zip(layers, before, strict=True):
            layer.dtype_policy = policy


def _convolutions(network: keras.Model) -> list[keras.layers.Layer]:
    """The layers that are convolutions, those of networks inside it too."""
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return [layer for layer in network._flatten_layers() if isinstance(layer, kinds)]
