"""Reads a data source into the splits of an Examples artifact."""

import dataclasses
import os
from collections.abc import Callable

import apache_beam as beam
from tfx.dsl.io import fileio

from components import features
from components.example_gen import artifact_folder, shards
from components.example_gen.config import DataSettings
from components.example_gen.source import Source
from components.example_gen.summary import (
    QUARANTINE_FILE,
    SUMMARY_FILE,
    Quarantined,
    ShardReport,
    Summary,
    check_usable,
    sorted_quarantine,
    summarise,
    summarise_unlabelled,
)
from components.example_gen.walk import to_utf8


def ingest(
    source: Source,
    settings: DataSettings,
    uri: str,
    make_pipeline: Callable[[], beam.Pipeline],
    unlabelled: Source | None = None,
) -> Summary:
    """Writes the records, `quarantine.jsonl` and, last of all, `summary.json`.

    Args:
        source: the labelled pictures.
        settings: limits, and shares of the splits.
        uri: folder of the Examples artifact. What an earlier attempt left there is removed.
        make_pipeline: makes the Beam pipeline to run on.
        unlabelled: pictures without labels, for a split of their own.

    Returns:
        The content of `summary.json`.

    Raises:
        UserError: the disk is too small or the pictures are not enough to train on. The folder
            then holds no splits.
    """
    artifact_folder.clear(uri)
    staging = artifact_folder.staging_folder(uri)
    fileio.makedirs(staging)
    plan = shards.Plan(
        source.root,
        staging,
        settings,
        source.splits,
        len(source.items),
        kind=source.kind,
        columns=source.columns,
    )
    try:
        more_bytes = unlabelled.total_bytes if unlabelled else 0
        artifact_folder.require_space(source.total_bytes + more_bytes, uri)
        reports = _write_shards(source, plan, make_pipeline)
        summary = summarise(source.classes, source.ignored, reports)
        quarantined = sorted_quarantine(reports)
        check_usable(summary, quarantined, settings, to_utf8(source.location))
        unlabelled_reports = []
        if unlabelled:
            unlabelled_reports = _write_unlabelled(unlabelled, plan, reports, make_pipeline)
            root = to_utf8(unlabelled.root)
            summary = dataclasses.replace(
                summary, unlabelled=summarise_unlabelled(unlabelled_reports, settings, root)
            )
            quarantined += [
                Quarantined(os.path.join(root, entry.path), entry.reason)
                for entry in sorted_quarantine(unlabelled_reports)
            ]
        artifact_folder.publish(reports, uri, features.SPLITS)
        if unlabelled:
            artifact_folder.publish(unlabelled_reports, uri, [features.UNLABELLED])
    finally:
        fileio.rmtree(staging)
    lines = "".join(f"{entry.to_json()}\n" for entry in quarantined)
    artifact_folder.write_text(os.path.join(uri, QUARANTINE_FILE), lines)
    artifact_folder.write_text(os.path.join(uri, SUMMARY_FILE), summary.to_json())
    return summary


def _write_shards(
    source: Source, plan: shards.Plan, make_pipeline: Callable[[], beam.Pipeline]
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
    paths = [shards.report_path(plan.staging, shard.index) for shard in planned]
    return [ShardReport.from_json(artifact_folder.read_text(path)) for path in paths]


def _write_unlabelled(
    source: Source,
    plan: shards.Plan,
    labelled: list[ShardReport],
    make_pipeline: Callable[[], beam.Pipeline],
) -> list[ShardReport]:
    """Writes the records of unlabelled pictures beside the labelled ones.

    Args:
        source: the unlabelled pictures.
        plan: that of the labelled ones.
        labelled: what became of the labelled ones; copies of them are left out.
        make_pipeline: makes the Beam pipeline to run on.
    """
    files = [path for report in labelled for path in report.files.values()]
    plan = dataclasses.replace(
        plan,
        root=source.root,
        staging=os.path.join(plan.staging, features.UNLABELLED),
        splits=source.splits,
        total=len(source.items),
        kind=source.kind,
        labelled=shards.image_ids(files),
    )
    fileio.makedirs(plan.staging)
    return _write_shards(source, plan, make_pipeline)
