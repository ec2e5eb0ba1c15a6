"""How a component tells whoever watches how far it is.

The watcher (the command line's progress bar) registers itself in the process that runs the
executor. Without one, as in a container or a Beam worker, reporting costs nothing.
"""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a long task stands: `done` of `total` (None: not known), with a line of detail."""

    task: str
    done: int
    total: int | None = None
    detail: str = ""


_watcher: Callable[[Progress], None] | None = None


def report(task: str, done: int, total: int | None = None, detail: str = "") -> None:
    """Tells the watcher, if there is one. May be called from any thread."""
    if _watcher is not None:
        _watcher(Progress(task, done, total, detail))


@contextmanager
def watched_by(watcher: Callable[[Progress], None]) -> Iterator[None]:
    """Sends every `report` inside the block to `watcher`."""
    global _watcher
    previous, _watcher = _watcher, watcher
    try:
        yield
    finally:
        _watcher = previous
