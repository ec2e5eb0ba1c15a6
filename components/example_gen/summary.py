"""What an ingestion found, and whether it is enough to train on."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Sequence

from components import features
from components.errors import UserError
from components.example_gen.config import DataSettings
from components.example_gen.inspection.picture_table import Pictures
from components.example_gen.reading.source import Source
from components.example_gen.splitting.grouping import Duplicates, count_duplicates
from components.text import printable


@dataclasses.dataclass(frozen=True)
class Quarantined:
    """A file that was set aside: its path relative to the source, and why."""

    path: str
    reason: str

    def to_json(self) -> str:
        """One line of `quarantine.jsonl`."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)


@dataclasses.dataclass(frozen=True)
class ShardReport:
    """What became of the pictures of one shard.

    Attributes:
        records: Path of the file of its records.
        rows: Path of the table of its pictures, see `inspection.picture_table`.
        pictures: Number of records, and of rows.
        quarantined: Files set aside.
        converted: Number of pictures that became PNGs because TensorFlow cannot decode them, by the
            format of their files.
        fixed: Content ids of the pictures that `data.fixes` names, dropped ones too.
        dropped: Number of pictures that were left out for that.
    """

    records: str
    rows: str
    pictures: int
    quarantined: list[Quarantined]
    converted: dict[str, int]
    fixed: list[str] = dataclasses.field(default_factory=list)
    dropped: int = 0

    def to_json(self) -> str:
        """The inverse of `from_json`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ShardReport":
        """The inverse of `to_json`."""
        fields = json.loads(text)
        fields["quarantined"] = [Quarantined(**entry) for entry in fields["quarantined"]]
        return cls(**fields)


@dataclasses.dataclass(frozen=True)
class Summary:
    """The content of `summary.json`.

    Attributes:
        classes: Sorted class names.
        total: Number of usable pictures.
        counts: Number of usable pictures per split and class, zeros included.
        quarantined: Number of files set aside.
        converted: Number of usable pictures that became PNGs, by the format of their files, which a
            served model refuses.
        ignored: Number of files in the source that do not claim to be pictures.
        duplicates: Pictures that are the same as others.
        unlabelled: What became of the unlabelled pictures; None without a source of them.
        fixes: What became of `data.fixes`: pictures `relabelled` and `dropped`, and fixes whose
            picture is `gone`; None without.
    """

    classes: list[str]
    total: int
    counts: dict[str, dict[str, int]]
    quarantined: int
    converted: dict[str, int]
    ignored: int
    duplicates: Duplicates
    unlabelled: dict[str, int] | None = None
    fixes: dict[str, int] | None = None

    def to_json(self) -> str:
        """The content of `summary.json`."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Summary":
        """The inverse of `to_json`."""
        fields = json.loads(text)
        return cls(**{**fields, "duplicates": Duplicates(**fields["duplicates"])})


def sorted_quarantine(reports: Iterable[ShardReport]) -> list[Quarantined]:
    """The files that all shards set aside, by path."""
    return sorted(
        (entry for report in reports for entry in report.quarantined), key=lambda entry: entry.path
    )


def summarise(
    source: Source,
    reports: Iterable[ShardReport],
    quarantined: int,
    pictures: Pictures,
    groups: Sequence[str],
    splits: Sequence[str | None],
) -> Summary:
    """Adds up what became of the labelled pictures.

    Args:
        source: the labelled pictures.
        reports: of the shards of that source.
        quarantined: number of files set aside.
        pictures: the rows of all shards.
        groups: each row's duplicate group.
        splits: each row's split; None: set aside.
    """
    counts = {split: dict.fromkeys(source.classes, 0) for split in features.SPLITS}
    for label, split in zip(pictures.labels, splits, strict=True):
        if split in counts:
            counts[split][label] += 1
    return Summary(
        classes=list(source.classes),
        total=sum(sum(of_split.values()) for of_split in counts.values()),
        counts=counts,
        quarantined=quarantined,
        converted=dict(sum((Counter(report.converted) for report in reports), Counter())),
        ignored=source.ignored,
        duplicates=count_duplicates(pictures, groups, splits),
    )


def summarise_fixes(reports: Iterable[ShardReport], number: int) -> dict[str, int]:
    """Adds up what became of `data.fixes`.

    Args:
        reports: of the shards of labelled pictures.
        number: of fixes.

    Returns:
        Pictures `relabelled` and `dropped`, and fixes whose picture is `gone`.
    """
    fixed = [image_id for report in reports for image_id in report.fixed]
    dropped = sum(report.dropped for report in reports)
    return {
        "relabelled": len(fixed) - dropped,
        "dropped": dropped,
        "gone": number - len(set(fixed)),
    }


def summarise_unlabelled(
    reports: Iterable[ShardReport],
    usable: int,
    copies: int,
    settings: DataSettings,
    source: str,
) -> dict[str, int]:
    """Adds up what became of the unlabelled pictures.

    Args:
        reports: of the shards of unlabelled pictures.
        usable: number of pictures that are kept.
        copies: number of pictures left out because they are labelled ones.
        settings: the limits.
        source: path of the folder.

    Returns:
        `usable`, `copies` (of labelled pictures, left out) and `quarantined`.

    Raises:
        UserError: too many files were set aside, or none is left.
    """
    shown = f"pseudo_labels.source {printable(source)}"
    quarantined = [entry for report in reports for entry in report.quarantined]
    files = usable + copies + len(quarantined)
    _check_quarantined(quarantined, files, settings, shown)
    if not usable:
        raise UserError(
            f"{shown} has no picture of its own: all {copies} that can be used are labelled ones"
        )
    return {"usable": usable, "copies": copies, "quarantined": len(quarantined)}


def check_usable(
    summary: Summary, quarantined: Sequence[Quarantined], settings: DataSettings, source: str
) -> None:
    """Stops when the pictures cannot make a model that deserves an evaluation.

    Args:
        summary: what was ingested.
        quarantined: the files set aside.
        settings: the limits.
        source: path of the data source.

    Raises:
        UserError: too many files were set aside, a class has too few pictures or none to train
            on, or a split is empty.
    """
    source = printable(source)
    _check_quarantined(quarantined, summary.total + summary.quarantined, settings, source)
    for label in summary.classes:
        usable = sum(of_split[label] for of_split in summary.counts.values())
        settings.check_class(label, usable, "usable picture(s)", source)
    for label, number in summary.counts[features.TRAIN].items():
        if not number:
            raise UserError(
                f"class {label!r} in {source} has no picture in the train split: add pictures "
                f"of it or raise data.split.train{_copies_hint(summary)}"
            )
    for split in (features.VALIDATION, features.TEST):
        if not any(summary.counts[split].values()):
            raise UserError(
                f"the {split} split got none of the {summary.total} pictures in {source}: add "
                f"pictures or raise data.split.{split}{_copies_hint(summary)}"
            )


def _copies_hint(summary: Summary) -> str:
    """What else may leave a split empty; nothing where no picture is a copy of another."""
    copies = summary.duplicates.copies
    if not copies:
        return ""
    return (
        f" ({copies:,} of the pictures are copies of others, with which they share a split; if "
        "they only look alike, set data.near_duplicates=false)"
    )


def check_labels(contradictions: Sequence[tuple[str, str]], source: str) -> None:
    """Stops when the same picture is in two classes.

    Args:
        contradictions: Paths of such pairs.
        source: path of the data source.

    Raises:
        UserError: there is any.
    """
    if contradictions:
        shown = "; ".join(
            f"{printable(one)} and {printable(other)}" for one, other in contradictions[:3]
        )
        raise UserError(
            f"{len(contradictions)} picture(s) in {printable(source)} have copies in another "
            f"class, as {shown}: remove the wrong ones, or set data.contradicting_labels=keep; if "
            "they only look alike, set data.near_duplicates=false"
        )


def _check_quarantined(
    quarantined: Sequence[Quarantined], files: int, settings: DataSettings, source: str
) -> None:
    """Stops when more than `data.max_quarantined` of the files were set aside."""
    if len(quarantined) > settings.max_quarantined * files:
        shown = "; ".join(f"{printable(entry.path)}: {entry.reason}" for entry in quarantined[:3])
        raise UserError(
            f"{len(quarantined)} of {files} files in {source} cannot be used, more than "
            f"data.max_quarantined = {settings.max_quarantined:g} allows; the first are {shown}"
        )
