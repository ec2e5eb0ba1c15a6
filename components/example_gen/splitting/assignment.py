"""Which split each row of pictures belongs to: by hash, or as a split ledger remembers."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from components import features
from components.example_gen.config import SplitSettings
from components.example_gen.inspection.picture_table import Pictures
from components.example_gen.splitting.grouping import Grouping
from components.example_gen.splitting.split_ledger import Entry
from components.example_gen.splitting.splits import Choice, choice, drawn_split


@dataclasses.dataclass(frozen=True)
class Assignment:
    """The splits of all rows.

    Attributes:
        splits: Each row's split; None: it is left out.
        set_aside: By row, why a labelled picture is left out.
        entries: By content id, what is to be added to the ledger.
    """

    splits: list[str | None]
    set_aside: dict[int, str] = dataclasses.field(default_factory=dict)
    entries: dict[str, Entry] = dataclasses.field(default_factory=dict)


def assign_by_hash(
    pictures: Pictures, groups: Sequence[str], available: frozenset[str], fractions: SplitSettings
) -> Assignment:
    """Draws the split of each row from the name of its duplicate group.

    Args:
        pictures: The rows. An unlabelled one that is a labelled one as well is left out.
        groups: Each row's group.
        available: The splits that the source brings along.
        fractions: Shares of the splits.
    """
    splits = _unlabelled_splits(pictures, groups)
    for row, options in _choices(pictures, available, fractions).items():
        splits[row] = drawn_split(groups[row], options)
    return Assignment(splits)


def assign_by_ledger(
    pictures: Pictures,
    grouping: Grouping,
    available: frozenset[str],
    fractions: SplitSettings,
    known: Mapping[str, Entry],
) -> Assignment:
    """Leaves every picture that is known where it was, and puts the others where they are wanted.

    Args:
        pictures: The rows. An unlabelled one that is a labelled one as well is left out.
        grouping: Their duplicate groups, known pictures before others.
        available: The splits that the source brings along.
        fractions: Shares of the splits, which are kept to within one picture per class.
        known: The entries of the ledger.
    """
    groups = grouping.groups
    splits = _unlabelled_splits(pictures, groups)
    choices = _choices(pictures, available, fractions)
    # By group, what is known of its pictures, as far as it is for the ledger to say.
    of_group: dict[str, dict[str, Entry]] = collections.defaultdict(dict)
    for row, options in choices.items():
        entry = known.get(pictures.ids[row])
        if entry and entry.split in options.shares:
            splits[row] = entry.split
            of_group[groups[row]].setdefault(entry.split, entry)
    set_aside: dict[int, str] = {}
    joined: dict[str, str] = {}
    newcomers: dict[tuple[str, str | None], list[int]] = collections.defaultdict(list)
    for row in [row for row in choices if splits[row] is None]:
        near = [groups[row], *grouping.others.get(pictures.ids[row], ())]
        found = {
            split: entry.group
            for group in near
            for split, entry in of_group.get(group, {}).items()
            if split in choices[row].shares
        }
        if len(found) > 1:
            set_aside[row] = f"a copy of pictures in {' and '.join(sorted(found))}"
        elif found:
            ((splits[row], joined[pictures.ids[row]]),) = found.items()
        else:
            newcomers[groups[row], pictures.given[row]].append(row)
    for given in sorted({given for _, given in newcomers}):
        rows = [row for row in choices if pictures.given[row] == given and row not in set_aside]
        units = [unit for (_, its_given), unit in newcomers.items() if its_given == given]
        _fill(rows, units, choices[rows[0]], pictures.labels, groups, splits)
    entries = {
        pictures.ids[row]: Entry(joined.get(pictures.ids[row], groups[row]), splits[row])
        for row, options in choices.items()
        if len(options.shares) > 1 and row not in set_aside and pictures.ids[row] not in known
    }
    return Assignment(splits, set_aside, entries)


def _choices(
    pictures: Pictures, available: frozenset[str], fractions: SplitSettings
) -> dict[int, Choice]:
    """By row of a labelled picture, what its source leaves open."""
    of_given = {given: choice(given, available, fractions) for given in set(pictures.given)}
    return {
        row: of_given[given]
        for row, given in enumerate(pictures.given)
        if given != features.UNLABELLED
    }


def _unlabelled_splits(pictures: Pictures, groups: Sequence[str]) -> list[str | None]:
    """The splits of unlabelled pictures that no labelled one is a copy of; None for all others."""
    rows = list(zip(groups, pictures.given, strict=True))
    labelled = {group for group, given in rows if given != features.UNLABELLED}
    return [
        given if given == features.UNLABELLED and group not in labelled else None
        for group, given in rows
    ]


def _fill(
    rows: Sequence[int],
    units: Iterable[Sequence[int]],
    options: Choice,
    labels: Sequence[str],
    groups: Sequence[str],
    splits: list[str | None],
) -> None:
    """Puts duplicate groups of newcomers into splits, in place.

    Args:
        rows: All rows that have the same choice.
        units: The rows of each group of newcomers.
        options: That choice.
        labels: Of all rows.
        groups: Of all rows.
        splits: Of all rows; None where one is to be found.
    """
    room = _quotas(collections.Counter(labels[row] for row in rows), options.shares)
    for row in rows:
        if splits[row] is not None:
            room[labels[row]][splits[row]] -= 1
    # Large groups first: single pictures then even out what these did to the ratios.
    for unit in sorted(units, key=lambda unit: (-len(unit), groups[unit[0]])):
        needed = collections.Counter(labels[row] for row in unit)
        left = {
            split: min(room[label][split] - number for label, number in needed.items())
            for split in options.shares
        }
        split = drawn_split(groups[unit[0]], options)
        if left[split] < 0:  # else where it would be without a ledger
            split = max(left, key=left.__getitem__)
        for row in unit:
            splits[row] = split
            room[labels[row]][split] -= 1


def _quotas(totals: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, dict[str, int]]:
    """Whole numbers of pictures by class and split, each less than one from what is asked for.

    What rounding takes from a split in one class it gets in another, so that small classes do not
    leave a split empty.
    """
    owed = dict.fromkeys(shares, 0.0)
    quotas = {}
    for label, total in sorted(totals.items()):
        quota = {split: int(share * total + 1e-9) for split, share in shares.items()}
        for split, share in shares.items():
            owed[split] += share * total - quota[split]
        rest = total - sum(quota.values())
        for split in sorted(shares, key=owed.__getitem__, reverse=True)[:rest]:
            quota[split] += 1
            owed[split] -= 1
        quotas[label] = quota
    return quotas
