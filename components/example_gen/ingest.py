"""Reads a data source into the splits of an Examples artifact."""

import dataclasses
import os
import shutil
from collections.abc import Callable, Sequence

import apache_beam as beam
from tfx.dsl.io import fileio

from components import features
from components.errors import UserError
from components.example_gen import shards, sources
from components.example_gen.config import DataSettings
from components.example_gen.summary import (
    QUARANTINE_FILE,
    SUMMARY_FILE,
    Quarantined,
    ShardReport,
    Summary,
    check_usable,
    summarise,
    summarise_unlabelled,
)
from components.example_gen.walk import printable


def ingest(
    source: sources.Source,
    settings: DataSettings,
    uri: str,
    make_pipeline: Callable[[], beam.Pipeline],
    unlabelled: sources.Source | None = None,
) -> Summary:
    """Writes the records, `quarantine.jsonl` and, last of all, `summary.json`.

    Args:
        source: The pictures.
        settings: Limits and shares.
        uri: Folder of the Examples artifact. What an earlier attempt left there is removed.
        make_pipeline: Makes the Beam pipeline to run on.
        unlabelled: Pictures without labels, for a split of their own.

    Raises:
        UserError: If the disk is too small or the pictures are not enough to train on. The folder
            then holds no splits.
    """
    staging = _staging(uri)
    _clear(uri)
    fileio.makedirs(staging)
    plan = shards.Plan(source.root, staging, settings, source.splits, len(source.items))
    try:
        _require_space([source, unlabelled] if unlabelled else [source], uri)
        reports = _write_shards(source, plan, make_pipeline)
        summary = summarise(source.classes, source.ignored, reports)
        quarantined = sorted(
            (entry for report in reports for entry in report.quarantined),
            key=lambda entry: entry.path,
        )
        check_usable(summary, quarantined, settings, printable(source.root))
        more = []
        if unlabelled:
            labelled = shards.image_ids([f for report in reports for f in report.files.values()])
            more = _write_unlabelled(unlabelled, plan, labelled, make_pipeline)
            root = printable(unlabelled.root)
            summary = dataclasses.replace(
                summary, unlabelled=summarise_unlabelled(more, settings, root)
            )
            quarantined += [
                Quarantined(os.path.join(root, entry.path), entry.reason)
                for report in more
                for entry in report.quarantined
            ]
        _publish(reports, uri, features.SPLITS)
        if unlabelled:
            _publish(more, uri, [features.UNLABELLED])
    finally:
        fileio.rmtree(staging)
    shards.write_text(
        os.path.join(uri, QUARANTINE_FILE), "".join(f"{entry.to_json()}\n" for entry in quarantined)
    )
    shards.write_text(os.path.join(uri, SUMMARY_FILE), summary.to_json())
    return summary


def _write_shards(
    source: sources.Source, plan: shards.Plan, make_pipeline: Callable[[], beam.Pipeline]
) -> list[ShardReport]:
    """Writes the records of a source into the plan's staging folder."""
    planned = shards.plan_shards(source)
    shards.start_count()
    with make_pipeline() as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(planned)
            | "Write" >> beam.ParDo(shards.WriteShard(plan))
        )
    return [_read_report(plan.staging, shard.index) for shard in planned]


def _write_unlabelled(
    source: sources.Source,
    plan: shards.Plan,
    labelled: frozenset[str],
    make_pipeline: Callable[[], beam.Pipeline],
) -> list[ShardReport]:
    """Writes the records of unlabelled pictures beside those that the plan was for."""
    plan = dataclasses.replace(
        plan,
        root=source.root,
        staging=os.path.join(plan.staging, features.UNLABELLED),
        splits=source.splits,
        total=len(source.items),
        labelled=labelled,
    )
    fileio.makedirs(plan.staging)
    return _write_shards(source, plan, make_pipeline)


def _staging(uri: str) -> str:
    return os.path.join(uri, ".staging")


def _split_folder(uri: str, split: str) -> str:
    return os.path.join(uri, f"Split-{split}")


def _clear(uri: str) -> None:
    """Removes what an earlier attempt left: a retry may be given the same folder."""
    for name in (SUMMARY_FILE, QUARANTINE_FILE):
        if fileio.exists(os.path.join(uri, name)):
            fileio.remove(os.path.join(uri, name))
    splits = (*features.SPLITS, features.UNLABELLED)
    for folder in (_staging(uri), *(_split_folder(uri, split) for split in splits)):
        if fileio.exists(folder):
            fileio.rmtree(folder)


def _require_space(pictures: Sequence[sources.Source], uri: str) -> None:
    """Stops before any work when the records, about as large as the pictures, cannot fit."""
    if "://" in uri:
        return
    free = shutil.disk_usage(uri).free
    needed = sum(source.total_bytes for source in pictures)
    if free < needed:
        raise UserError(
            f"the pictures take {needed / 1e6:,.1f} MB, but {uri} has only "
            f"{free / 1e6:,.1f} MB free: free some space or set another pipeline root"
        )


def _read_report(staging: str, index: int) -> ShardReport:
    with fileio.open(shards.report_path(staging, index)) as file:
        return ShardReport.from_json(file.read())


def _publish(reports: list[ShardReport], uri: str, splits: Sequence[str]) -> None:
    """Moves the records of all shards to where TFX looks for them."""
    for split in splits:
        folder = _split_folder(uri, split)
        fileio.makedirs(folder)
        for index, report in enumerate(reports):
            name = f"data_tfrecord-{index:05d}-of-{len(reports):05d}.gz"
            fileio.rename(report.files[split], os.path.join(folder, name))
