"""Reads a data source into the splits of an Examples artifact.

Every picture is decoded once, and written to a file of its shard with a row of what was measured.
When all have been read, duplicates are grouped and splits decided; then the records are dealt out.
"""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import apache_beam as beam

from components import features
from components.example_gen import artifact_folder, deal, originals, shards
from components.example_gen.config import DataSettings
from components.example_gen.fixes import Fix, check_classes, check_found, read_fixes
from components.example_gen.inspection import picture_table
from components.example_gen.inspection.picture_table import Pictures
from components.example_gen.reading.source import Source
from components.example_gen.reading.walk import to_utf8
from components.example_gen.splitting import split_ledger
from components.example_gen.splitting.assignment import (
    Assignment,
    assign_by_hash,
    assign_by_ledger,
)
from components.example_gen.splitting.grouping import contradictions, group_pictures
from components.example_gen.summary import (
    Quarantined,
    ShardReport,
    Summary,
    check_labels,
    check_usable,
    sorted_quarantine,
    summarise,
    summarise_fixes,
    summarise_unlabelled,
)
from components.files import write_atomically


def ingest(
    source: Source,
    settings: DataSettings,
    uri: str,
    make_pipeline: Callable[[], beam.Pipeline],
    unlabelled: Source | None = None,
    ledger_inputs: str = "",
    staging: str | None = None,
) -> Summary:
    """Writes records, `pictures.parquet`, `quarantine.jsonl` and, last of all, `summary.json`.

    Args:
        source: the labelled pictures.
        settings: limits, and shares of the splits.
        uri: folder of the Examples artifact. What an earlier attempt left there is removed.
        make_pipeline: makes the Beam pipeline to run on.
        unlabelled: pictures without labels, for a split of their own.
        ledger_inputs: what the split ledger is to remember this update by.
        staging: folder for files that are not finished; None: one in the artifact.

    Returns:
        The content of `summary.json`.

    Raises:
        UserError: the disk is too small, the pictures contradict each other or are not enough to
            train on, or `data.fixes` does not go with them. The folder then holds no splits.
    """
    fixes = read_fixes(settings.fixes)
    check_classes(fixes, source.classes, settings.fixes)
    artifact_folder.clear(uri)
    staging = staging or artifact_folder.staging_folder(uri)
    for folder in (uri, staging):
        Path(folder).mkdir(parents=True, exist_ok=True)
    sources = [source, unlabelled] if unlabelled else [source]
    try:
        artifact_folder.require_space(sum(one.total_bytes for one in sources), uri)
        reports = [
            _write_shards(
                one,
                source.columns,
                {} if index else fixes,
                os.path.join(staging, str(index)),
                settings,
                make_pipeline,
            )
            for index, one in enumerate(sources)
        ]
        if settings.missing_fixes == "stop":
            found = {image_id for report in reports[0] for image_id in report.fixed}
            check_found(fixes, found, settings.fixes, to_utf8(source.location))
        tables = [report.rows for of_source in reports for report in of_source]
        pictures = picture_table.read_staged(tables)
        groups, splits, summary, quarantined = _decide(
            sources, reports, pictures, settings, ledger_inputs
        )
        dealt = _deal(reports, splits, staging, make_pipeline)
        picture_table.publish(
            tables,
            groups,
            splits,
            os.path.join(uri, features.PICTURES_FILE),
            [features.column_feature(name) for name in source.columns],
        )
        originals.keep(source, pictures, splits, uri)
        artifact_folder.publish(dealt[: len(reports[0])], uri, features.SPLITS)
        if unlabelled:
            artifact_folder.publish(dealt[len(reports[0]) :], uri, [features.UNLABELLED])
        if fixes:
            summary = dataclasses.replace(summary, fixes=summarise_fixes(reports[0], len(fixes)))
    finally:
        shutil.rmtree(staging)
    lines = "".join(f"{entry.to_json()}\n" for entry in quarantined)
    write_atomically(os.path.join(uri, features.QUARANTINE_FILE), lines)
    write_atomically(os.path.join(uri, features.SUMMARY_FILE), summary.to_json())
    return summary


def _write_shards(
    source: Source,
    columns: tuple[str, ...],
    fixes: Mapping[str, Fix],
    staging: str,
    settings: DataSettings,
    make_pipeline: Callable[[], beam.Pipeline],
) -> list[ShardReport]:
    """Reads a source and writes the records and rows of its shards into the staging folder."""
    Path(staging).mkdir()
    plan = shards.Plan(
        source.root,
        staging,
        settings.max_pixels,
        len(source.items),
        kind=source.kind,
        columns=columns,
        fixes=fixes,
    )
    planned = shards.plan_shards(source)
    shards.start_count()
    _run(make_pipeline, planned, shards.WriteShard(plan))
    paths = [shards.report_path(staging, shard.index) for shard in planned]
    return [ShardReport.from_json(Path(path).read_text(encoding="utf-8")) for path in paths]


def _decide(
    sources: list[Source],
    reports: list[list[ShardReport]],
    pictures: Pictures,
    settings: DataSettings,
    ledger_inputs: str,
) -> tuple[list[str], list[str | None], Summary, list[Quarantined]]:
    """Groups duplicates and decides on splits; stops where the pictures are of no use.

    Returns:
        Each row's duplicate group and split, what to say of all, and the files set aside.
    """
    source, path = sources[0], settings.split_ledger
    with split_ledger.locked(path) if path else contextlib.nullcontext():
        ledger = split_ledger.read_ledger(path) if path else split_ledger.Ledger()
        grouping = group_pictures(pictures, settings.near_duplicates, ledger.entries)
        if path:
            assignment = assign_by_ledger(
                pictures, grouping, source.splits, settings.split, ledger.entries
            )
        else:
            assignment = assign_by_hash(pictures, grouping.groups, source.splits, settings.split)
        summary, quarantined = _check(
            sources, reports, pictures, grouping.groups, assignment, settings
        )
        if assignment.entries:
            split_ledger.write_ledger(path, ledger, assignment.entries, ledger_inputs)
    return grouping.groups, assignment.splits, summary, quarantined


def _check(
    sources: list[Source],
    reports: list[list[ShardReport]],
    pictures: Pictures,
    groups: list[str],
    assignment: Assignment,
    settings: DataSettings,
) -> tuple[Summary, list[Quarantined]]:
    """What to say of the pictures, and the files set aside; stops where they are of no use."""
    splits = assignment.splits
    (source, *unlabelled), (of_source, *of_unlabelled) = sources, reports
    quarantined = sorted_quarantine(of_source) + [
        Quarantined(pictures.paths[row], reason) for row, reason in assignment.set_aside.items()
    ]
    summary = summarise(source, of_source, len(quarantined), pictures, groups, splits)
    check_usable(summary, quarantined, settings, to_utf8(source.location))
    if settings.contradicting_labels == "stop":
        check_labels(contradictions(pictures, groups), to_utf8(source.location))
    for one, its_reports in zip(unlabelled, of_unlabelled, strict=True):
        root = to_utf8(one.root)
        usable = splits.count(features.UNLABELLED)
        copies = pictures.given.count(features.UNLABELLED) - usable
        counts = summarise_unlabelled(its_reports, usable, copies, settings, root)
        summary = dataclasses.replace(summary, unlabelled=counts)
        quarantined += [
            Quarantined(os.path.join(root, entry.path), entry.reason)
            for entry in sorted_quarantine(its_reports)
        ]
    return summary, quarantined


def _deal(
    reports: list[list[ShardReport]],
    splits: list[str | None],
    staging: str,
    make_pipeline: Callable[[], beam.Pipeline],
) -> list[dict[str, str]]:
    """Deals the records of all shards out to splits; gives each shard's files by split."""
    deals: list[deal.Deal] = []
    start = 0
    for number, of_source in enumerate(reports):
        written = (features.UNLABELLED,) if number else features.SPLITS
        for report in of_source:
            end = start + report.pictures
            deals.append(deal.Deal(len(deals), report.records, tuple(splits[start:end]), written))
            start = end
    _run(make_pipeline, deals, deal.DealShard(staging))
    paths = [deal.dealt_path(staging, one.index) for one in deals]
    return [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]


def _run(make_pipeline: Callable[[], beam.Pipeline], shares: Sequence, function: beam.DoFn) -> None:
    """Has Beam call a function, which leaves files, on every share of the work."""
    with make_pipeline() as pipeline:
        _ = pipeline | "Shares" >> beam.Create(shares) | "Write" >> beam.ParDo(function)
