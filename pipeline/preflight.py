"""What can be found wrong with a recipe before anything is run.

One place for `graft run`, `lr-find`, `validate`, `doctor` and `compile`, so that none of them
passes what another refuses.
"""

import dataclasses
import enum
import hashlib
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from components import destinations, features
from components.errors import UserError
from components.example_gen.config import DataSettings
from components.example_gen.fixes import Fix, check_classes, read_fixes
from components.example_gen.reading import buckets, layout, remote
from components.example_gen.reading.source import Source
from components.example_gen.reading.sources import (
    check_address,
    fingerprint,
    list_unlabelled,
    open_source,
)
from components.example_gen.splitting.splits import choice
from components.pusher import signing
from components.text import printable
from components.trainer import checks
from pipeline import dask_cluster, schema
from pipeline.config import Recipe


class Scope(enum.Enum):
    """Where a recipe is to run."""

    MACHINE = "here"
    CLUSTER = "in a cluster, whose pictures, weights and served models are not here to be looked at"


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What was opened on the way, so that nobody opens it again.

    Attributes:
        source: the labelled pictures; None in the scope of a cluster.
        unlabelled: those of `pseudo_labels`; None without.
        fixes: what is to be done with some pictures, by content id.
    """

    source: Source | None = None
    unlabelled: Source | None = None
    fixes: Mapping[str, Fix] = dataclasses.field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Changes when pictures or their fixes do."""
        parts = [fingerprint(found) for found in (self.source, self.unlabelled) if found]
        if self.fixes:
            parts.append(hashlib.sha256(repr(sorted(self.fixes.items())).encode()).hexdigest())
        return "".join(parts)


def inspect(recipe: Recipe, scope: Scope, scratch: Path | None = None) -> Inspection:
    """Checks settings and files, the cheap ones first.

    TensorFlow is imported for TFRecords, an earlier Graft model and `evaluation.slices` alone.

    A source that is a URL is downloaded, which is told on stderr.

    A run on this machine needs `check_network` beside it, which the runner calls by itself.

    Args:
        recipe: what is to run.
        scope: where.
        scratch: folder for a source that has to be written before it can be listed, as the built-in
            digits; None: below the recipe's own, where a run looks for it.

    Raises:
        UserError: something that the recipe names is not there or does not go with the rest.
        OSError: a folder cannot be written, or an object store does not answer or refuses.
    """
    recipe.beam.check_reach(in_cluster=scope is Scope.CLUSTER)
    if scope is Scope.CLUSTER:
        return Inspection()
    _check_folder("workspace", recipe.folder)
    if any(character in str(recipe.folder.absolute()) for character in "*?["):
        raise UserError(
            f"workspace: {recipe.folder.absolute()} has one of *, ? and [ in it, which stand for "
            "other characters where TFX looks for its files: set another one"
        )
    if destinations.is_bucket(recipe.push_destination):
        destinations.check_readable(recipe.push_destination)
    else:
        _check_folder("push.destination", recipe.push_destination)
    if recipe.push.sign:
        signing.check_key(recipe.push.sign.key)
    checks.check_files(recipe.trainer)
    fixed = read_fixes(recipe.data.fixes)
    source = open_labelled(recipe, scratch or recipe.folder.absolute() / "sources")
    check_classes(fixed, source.classes, recipe.data.fixes)
    _check_numbers(recipe.data, source, fixed)
    schema.check_classes(source.classes, recipe.data.source)
    unlabelled = recipe.pseudo_labels and list_unlabelled(recipe.pseudo_labels.source)
    checks.check_classes(recipe.trainer, source.classes)
    _check_slices(recipe, source)
    return Inspection(source, unlabelled, fixed)


def _check_numbers(data: DataSettings, source: Source, fixes: Mapping[str, Fix]) -> None:
    """Finds classes that are too small before any of their pictures is read.

    What is no picture, or a copy of another, is found by ImageExampleGen, which looks again.
    """
    numbers = Counter(item.label for item in source.items)
    gaining = {fix.label for fix in fixes.values()}
    for label in source.classes:
        if label not in gaining:
            data.check_class(label, numbers[label], "picture(s)", printable(data.source))


def open_labelled(recipe: Recipe, workspace: Path) -> Source:
    """Lists the labelled pictures; those of a URL are downloaded, which is told on stderr.

    Args:
        recipe: whose pictures.
        workspace: folder for a source that has to be written before it can be listed.

    Raises:
        UserError: they cannot be listed.
    """
    announce_download(recipe.data)
    return open_source(recipe.data.source, workspace, recipe.data)


def check_network(recipe: Recipe) -> None:
    """Checks what needs TensorFlow or Beam: devices, layers, weights, which may be fetched.

    Raises:
        UserError: see `inspect`.
    """
    from components.trainer.fitting import devices

    recipe.beam.pipeline_args()
    if recipe.beam.runner == "dask":
        dask_cluster.check(recipe.beam.dask.scheduler)
    devices.check_device(recipe.training)
    checks.check_network(recipe.trainer)


def foresee(recipe: Recipe, source: Source) -> tuple[str, list[str]]:
    """What the test split can prove of a model, and what it cannot: a line, and some notes.

    Notes too on what the validation split is too small to teach, and on classes that have the name
    of a split.
    """
    from components.evaluator.foresight import foresee
    from components.trainer import calibration

    line, notes = foresee(recipe.evaluation, _split_counts(recipe, source, features.TEST))
    validation = _split_counts(recipe, source, features.VALIDATION)
    notes = notes + calibration.foresee(recipe.serving, validation)
    named = [name for name in source.classes if name.lower() in layout.SPLIT_NAMES]
    if 0 < len(named) < len(source.classes) and not source.splits:
        others = layout.listing(name for name in source.classes if name not in named)
        notes.append(f"{named[0]} is taken for a class, not for a split, as it is beside {others}")
    return line, notes


def _split_counts(recipe: Recipe, source: Source, split: str) -> dict[str, int]:
    """About how many pictures of each class a split will have."""
    counts = dict.fromkeys(source.classes, 0.0)
    for given, of_class in source.counts().items():
        share = _share(recipe, source, given, split)
        for label, number in of_class.items():
            counts[label] += share * number
    return {label: round(count) for label, count in counts.items()}


def _share(recipe: Recipe, source: Source, given: str | None, split: str) -> float:
    """The share of a split among the pictures that a source gives to one, or to none (None)."""
    return choice(given, source.splits, recipe.data.split).shares.get(split, 0.0)


def _check_slices(recipe: Recipe, source: Source) -> None:
    """Finds the columns of `evaluation.slices`, and those of too many values, before training."""
    if not recipe.evaluation.slices:
        return
    from components.evaluator.slices import check_number, find_column
    from components.example_gen.inspection.facts import Facts

    facts = [field.name for field in dataclasses.fields(Facts)]
    known = [*facts, *map(features.column_feature, source.columns)]
    for name in recipe.evaluation.slices:
        column = known.index(find_column(name, known)) - len(facts)
        if column >= 0:
            check_number(name, _values_in_test(recipe, source, column), "about ")


def _values_in_test(recipe: Recipe, source: Source, column: int) -> int:
    """How many different values of a manifest's column the test split will all but surely have."""
    shares = {one: _share(recipe, source, one, features.TEST) for one in (None, *source.splits)}
    absent: dict[str, float] = {}  # by value, how probable it is that no picture has it
    for item in source.items:
        value = item.columns[column]
        absent[value] = absent.get(value, 1.0) * (1.0 - shares[item.split])
    spread = math.sqrt(sum(p * (1.0 - p) for p in absent.values()))
    return round(sum(1.0 - p for p in absent.values()) - 3.0 * spread)


def announce_download(data: DataSettings) -> None:
    """Says what takes so long, if the source has yet to be downloaded."""
    check_address(data.source, data)
    if remote.is_address(data.source) and not buckets.is_in_bucket(data.source):
        path = remote.kept_at(data.source, data.sha256)
        if not path.exists():
            print(f"Downloading {data.source} to {path.parent} …", file=sys.stderr)


def _check_folder(key: str, folder: Path) -> None:
    """Proves that files can be written where a folder is or will be, and leaves nothing there."""
    folder = folder.absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        raise UserError(f"{key}: {folder} cannot be made: Not a directory: {existing}")
    with tempfile.TemporaryFile(dir=existing):
        pass
