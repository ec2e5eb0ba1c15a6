"""How a component tells whoever watches how far it is.

The watcher (the command line's progress bar) registers itself in the process that runs the
executor. Without one, as in a container or a Beam worker, reporting costs nothing.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a long task stands.

    Attributes:
        task: what is being done.
        done: how much of it has been done.
        total: how much there is to do; None: not known.
        detail: a line about it.
        seconds_left: until the end of what the task is a part of; None: not known.
    """

    task: str
    done: int
    total: int | None = None
    detail: str = ""
    seconds_left: float | None = None


@dataclasses.dataclass(frozen=True)
class Epoch:
    """An epoch of a training that has ended.

    Attributes:
        phase: of the training.
        number: from 1.
        of: how many the phase has at most.
        figures: `loss`, `accuracy`, and those of the validation split, `val_loss` and
            `val_accuracy`.
    """

    phase: str
    number: int
    of: int
    figures: Mapping[str, float]


_watcher: Callable[[Progress], None] | None = None
_epoch_watcher: Callable[[Epoch], None] | None = None


def report(
    task: str,
    done: int,
    total: int | None = None,
    detail: str = "",
    seconds_left: float | None = None,
) -> None:
    """Tells the watcher, if there is one. May be called from any thread."""
    if _watcher is not None:
        _watcher(Progress(task, done, total, detail, seconds_left))


def report_epoch(epoch: Epoch) -> None:
    """Tells the watcher of epochs, if there is one."""
    if _epoch_watcher is not None:
        _epoch_watcher(epoch)


@contextmanager
def watched_by(
    watcher: Callable[[Progress], None], epochs: Callable[[Epoch], None] | None = None
) -> Iterator[None]:
    """Sends every `report` inside the block to `watcher`, and every `report_epoch` to `epochs`."""
    global _watcher, _epoch_watcher
    previous = _watcher, _epoch_watcher
    _watcher, _epoch_watcher = watcher, epochs
    try:
        yield
    finally:
        _watcher, _epoch_watcher = previous
