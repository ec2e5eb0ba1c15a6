"""Work that is begun before its turn, and taken in its turn."""

import collections
from collections.abc import Iterable, Iterator
from typing import TypeVar

Begun = TypeVar("Begun")


def ahead(begun: Iterable[Begun], count: int) -> Iterator[Begun]:
    """The same in the same order, each after the next ones have been begun.

    Args:
        begun: begins the work on an element when that is asked for, as in a thread.
        count: how many further ones have been begun when one is given.
    """
    waiting = collections.deque()
    for one in begun:
        waiting.append(one)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting
