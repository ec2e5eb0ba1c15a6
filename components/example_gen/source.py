"""What a listed data source is: pictures with their classes, not yet opened."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Item:
    """One file that claims to be a picture.

    Attributes:
        path: Relative to the root of its source, as the operating system knows it: a name that is
            not UTF-8 holds surrogate escapes, so store `walk.to_utf8(path)`.
        label: Class name, valid UTF-8 in Unicode's composed form (NFC).
        split: The split whose folder it lies in; None in a source without such folders.
        size: In bytes; 0 for a link that leads nowhere.
        mtime_ns: Time of the last change in nanoseconds; 0 for a link that leads nowhere.
    """

    path: str
    label: str
    split: str | None
    size: int
    mtime_ns: int


@dataclasses.dataclass(frozen=True)
class Source:
    """A listed data source.

    Attributes:
        root: Absolute path of the folder that the items' paths start from.
        classes: Sorted class names; every one has at least one item.
        items: Sorted by path.
        ignored: Number of visible files that do not claim to be pictures.
    """

    root: str
    classes: tuple[str, ...]
    items: tuple[Item, ...]
    ignored: int

    @property
    def splits(self) -> frozenset[str]:
        """The splits that the source brings along; empty if it has no such folders."""
        return frozenset(item.split for item in self.items if item.split is not None)

    @property
    def total_bytes(self) -> int:
        """Size of all items."""
        return sum(item.size for item in self.items)

    def counts(self) -> dict[str | None, dict[str, int]]:
        """Number of items per split folder (None: no split folders) and class."""
        counts: dict[str | None, dict[str, int]] = {}
        for item in self.items:
            of_split = counts.setdefault(item.split, dict.fromkeys(self.classes, 0))
            of_split[item.label] += 1
        return counts
