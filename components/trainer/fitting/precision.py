"""What the convolutions of a training multiply in: bf16 only on CPUs that are made for it."""

from pathlib import Path

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
