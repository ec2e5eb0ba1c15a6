"""Which split a picture belongs to, from nothing but the content of its duplicate group."""

import dataclasses

from components.example_gen.config import SplitSettings
from components.features import TEST, TRAIN, UNLABELLED, VALIDATION


@dataclasses.dataclass(frozen=True)
class Choice:
    """The splits that a picture may be put into.

    Attributes:
        shares: Share of the pictures with the same choice by split; they add up to 1.
        draw: Which bits of the id decide. Each decision has its own: a validation folder that an
            earlier split by the same bits made would otherwise not be cut in the shares asked for.
    """

    shares: dict[str, float]
    draw: int = 0


def choice(given: str | None, available: frozenset[str], fractions: SplitSettings) -> Choice:
    """What the source leaves open; see `SplitSettings` for the rules.

    Args:
        given: The split that the source puts a picture in, or None.
        available: All splits that the source has; empty if it has none.
        fractions: Shares of the splits.
    """
    train, validation, test = fractions.train, fractions.validation, fractions.test
    if given == UNLABELLED:
        return Choice({UNLABELLED: 1.0})
    if given is None or available == {TRAIN}:
        return Choice({TRAIN: train, VALIDATION: validation, TEST: test})
    if given == TRAIN and VALIDATION not in available:
        share = validation / (train + validation)
        return Choice({VALIDATION: share, TRAIN: 1 - share}, 1)
    if given == VALIDATION and TEST not in available:
        share = test / (validation + test)
        return Choice({TEST: share, VALIDATION: 1 - share}, 2)
    return Choice({given: 1.0})


def drawn_split(group: str, options: Choice) -> str:
    """The split of a picture by hash.

    It depends on no other pictures than its duplicates, so adding some never moves the rest, and
    copies of a picture stay together.

    Args:
        group: Name of the duplicate group: SHA-256 of a picture, 64 hexadecimal digits.
        options: The splits to choose from.
    """
    number, end = _uniform(group, options.draw), 0.0
    *splits, last = options.shares
    for split in splits:
        end += options.shares[split]
        if number < end:
            return split
    return last


def _uniform(group: str, draw: int) -> float:
    """A number in [0, 1) from the draw-th 64 bits of the id."""
    bits = int(group[16 * draw : 16 * (draw + 1)], 16)
    return (bits >> 11) / 2**53  # what a float holds exactly, so that it stays below 1
