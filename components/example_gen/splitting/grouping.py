"""Duplicate groups: which pictures are the same, to the byte or to the eye."""

import collections
import dataclasses
from collections.abc import Container, Sequence

import numpy as np

from components import features
from components.example_gen.inspection.picture_table import Pictures
from components.example_gen.splitting import duplicates


@dataclasses.dataclass(frozen=True)
class Grouping:
    """Duplicate groups, each named after the content id of its first picture.

    Attributes:
        groups: Each row's group.
        others: By content id, further groups whose first picture a picture looks like.
    """

    groups: list[str]
    others: dict[str, list[str]]


def group_pictures(pictures: Pictures, near: bool, known: Container[str] = ()) -> Grouping:
    """Finds the duplicate groups.

    Args:
        pictures: The rows.
        near: Whether pictures that look alike are duplicates; if not, only equal files are.
        known: Content ids of pictures that come before all others in a group.
    """
    row_of: dict[str, int] = {}
    for row, image_id in enumerate(pictures.ids):
        row_of.setdefault(image_id, row)
    # By content, so that the order of the source does not matter. Unlabelled pictures come last:
    # what they look like must not decide on a split.
    ids = sorted(row_of, key=lambda i: (i not in known, not pictures.labels[row_of[i]], i))
    first = {image_id: image_id for image_id in ids}
    others: dict[str, list[str]] = {}
    if near:
        rows = np.array([row_of[image_id] for image_id in ids], np.int64)
        large = np.flatnonzero(pictures.sides[rows] >= duplicates.MIN_SIDE)
        rows = rows[large]
        found = duplicates.near_groups(pictures.hashes[rows], pictures.thumbnails[rows])
        for picture, firsts in found.items():
            names = [ids[large[one]] for one in sorted(firsts)]
            first[ids[large[picture]]] = names[0]
            if names[1:]:
                others[ids[large[picture]]] = names[1:]
    return Grouping([first[image_id] for image_id in pictures.ids], others)


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """What `summary.json` says of duplicates among the labelled pictures.

    Attributes:
        copies: Number of pictures beyond the first of each group.
        identical: How many of these are the same file, to the byte, as another of the group.
        contradicting: Number of groups of more than one class.
        leaking: Number of groups in more than one split.
    """

    copies: int
    identical: int
    contradicting: int
    leaking: int


def count_duplicates(
    pictures: Pictures, groups: Sequence[str], splits: Sequence[str | None]
) -> Duplicates:
    """Counts the duplicates among the labelled pictures that have a split."""
    ids: dict[str, list[str]] = collections.defaultdict(list)
    labels: dict[str, set[str]] = collections.defaultdict(set)
    in_splits: dict[str, set[str]] = collections.defaultdict(set)
    for image_id, group, label, split in zip(
        pictures.ids, groups, pictures.labels, splits, strict=True
    ):
        if split in features.SPLITS:
            ids[group].append(image_id)
            labels[group].add(label)
            in_splits[group].add(split)
    return Duplicates(
        copies=sum(len(members) - 1 for members in ids.values()),
        identical=sum(len(members) - len(set(members)) for members in ids.values()),
        contradicting=sum(len(found) > 1 for found in labels.values()),
        leaking=sum(len(found) > 1 for found in in_splits.values()),
    )


def contradictions(pictures: Pictures, groups: Sequence[str]) -> list[tuple[str, str]]:
    """Paths of two pictures of each group that are the same picture under two labels, sorted."""
    seen: dict[str, int] = {}
    found: dict[str, tuple[str, str]] = {}
    for row, (group, label) in enumerate(zip(groups, pictures.labels, strict=True)):
        if not label:
            continue
        first = seen.setdefault(group, row)
        if pictures.labels[first] != label:
            pair = sorted((pictures.paths[first], pictures.paths[row]))
            found.setdefault(group, (pair[0], pair[1]))
    return sorted(found.values())
