"""The database of ML Metadata: whether it is whole, and what to do where it is not."""

import datetime
import sqlite3
from pathlib import Path

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
