"""What a listed data source is: pictures with their classes, not yet opened."""

import dataclasses

# How a picture is read: from a file of its own, as an entry of a zip, or from its place in a larger
# file, such as a tar or a TFRecord. Where a folder holds several of these, an item's path is the
# name of one, `#` and a number.
FILES, ZIP, SLICES = "files", "zip", "slices"


@dataclasses.dataclass(frozen=True)
class Item:
    """One file that claims to be a picture.

    Attributes:
        path: Relative to the root of its source, as the operating system knows it: a name that is
            not UTF-8 holds surrogate escapes, so store `walk.to_utf8(path)`.
        label: Class name, valid UTF-8 in Unicode's composed form (NFC).
        split: The split whose folder it lies in; None in a source without such folders.
        size: In bytes; 0 for a link that leads nowhere.
        mtime_ns: Time of the last change in nanoseconds, of the larger file where it lies in one; 0
            for a link that leads nowhere, and for a file that a manifest names and that is gone.
        position: Where it is in a larger file: number of a zip's entry, first byte in any other.
        columns: Values of the source's further columns; empty in a source without any.
    """

    path: str
    label: str
    split: str | None
    size: int
    mtime_ns: int
    position: int = 0
    columns: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Source:
    """A listed data source.

    Attributes:
        root: Absolute path of the folder or the larger file that the items' paths start from.
        classes: Sorted class names; every one has at least one item.
        items: Sorted by path.
        ignored: Number of visible files that do not claim to be pictures.
        kind: How its pictures are read: `FILES`, `ZIP` or `SLICES`.
        manifest: Absolute path of the manifest that names the pictures; empty without one.
        columns: Names of the manifest's further columns.
        repeated: Number of a manifest's rows that say again what an earlier one said.
    """

    root: str
    classes: tuple[str, ...]
    items: tuple[Item, ...]
    ignored: int
    kind: str = FILES
    manifest: str = ""
    columns: tuple[str, ...] = ()
    repeated: int = 0

    @property
    def location(self) -> str:
        """Absolute path that `sources.open_source` opens as this very source."""
        return self.manifest or self.root

    @property
    def missing(self) -> tuple[Item, ...]:
        """The items whose files are not there; ingestion sets them aside."""
        return tuple(item for item in self.items if not item.mtime_ns)

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
