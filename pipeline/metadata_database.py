"""The database of ML Metadata: whether it is whole, and what lies beside it that it knows not."""

import datetime
import shutil
import sqlite3
from pathlib import Path

from ml_metadata import MetadataStore, proto

from components.manifests import file_sizes
from pipeline.artifact_manifests import ARTIFACTS, MANIFESTS

DATABASE = "metadata.sqlite"
FAILURE = "graft_failure"
"""Custom property of an execution that failed: why, one line."""
UP_TO = "_"
"""Stands in the name of a run, before the node that was wanted where not all were."""

_SET_ASIDE = (DATABASE, f"{DATABASE}-journal", ARTIFACTS, MANIFESTS)


def set_aside_if_damaged(folder: Path) -> str:
    """Moves a damaged database out of the way, together with the artifacts that only it knew.

    A database that is made anew counts its executions from 1 again, so the artifacts cannot stay:
    TFX names their folders after the executions.

    Args:
        folder: of the recipe.

    Returns:
        One line that says what was damaged and where it is now; empty if nothing was.

    Raises:
        OSError: the database cannot be looked at now.
    """
    damage = _find_damage(folder)
    if not damage:
        return ""
    aside = folder / "damaged" / f"{datetime.datetime.now():%Y-%m-%dT%H-%M-%S-%f}"
    aside.mkdir(parents=True)
    for name in _SET_ASIDE:
        if (folder / name).exists():
            (folder / name).rename(aside / name)
    return (
        f"{folder / DATABASE} {damage}: it lies with the artifacts of earlier runs in {aside}, "
        "which can be deleted; every node runs again"
    )


def open_store(folder: Path) -> MetadataStore | None:
    """The database of a recipe's folder; None before the first run."""
    database = folder / DATABASE
    if not database.exists():
        return None
    config = proto.ConnectionConfig(
        sqlite=proto.SqliteMetadataSourceConfig(filename_uri=str(database))
    )
    return MetadataStore(config)


def remove_unfinished(folder: Path) -> tuple[int, int]:
    """Removes what nodes that were killed or stopped were writing: ML Metadata knows nothing of it.

    To be called by whoever holds the recipe's folder.

    Args:
        folder: of the recipe.

    Returns:
        Number of artifacts that were removed, and their bytes.
    """
    store = open_store(folder)
    count = size = 0
    for execution in store.get_executions() if store else ():
        if execution.last_known_state == proto.Execution.RUNNING:
            for left in (folder / ARTIFACTS).glob(f"*/*/{execution.id}"):
                count, size = count + 1, size + sum(file_sizes(left).values())
                shutil.rmtree(left, ignore_errors=True)
    return count, size


def _find_damage(folder: Path) -> str:
    database, artifacts = folder / DATABASE, folder / ARTIFACTS
    # Without artifacts it is that of a first run that was killed before its first node.
    empty = "is missing or empty" if artifacts.is_dir() and any(artifacts.iterdir()) else ""
    if not database.exists() or not database.stat().st_size:
        return empty
    try:
        connection = sqlite3.connect(database)
        try:
            (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        # Locked, or on a failing disk, it may well be whole; but so a damaged header is told too.
        if isinstance(error, sqlite3.OperationalError) and "file format" not in str(error):
            raise OSError(f"{database}: {error}") from error
        return f"is damaged ({error})"
    if result != "ok":
        return f"is damaged ({result})"
    return "" if tables else empty
