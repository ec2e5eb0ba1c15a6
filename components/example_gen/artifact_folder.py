"""The folder of an Examples artifact: where its files lie and how they get there whole."""

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from components import features
from components.errors import UserError
from components.text import printable


def staging_folder(uri: str) -> str:
    """Folder inside the artifact for files that are not finished."""
    return os.path.join(uri, ".staging")


def clear(uri: str) -> None:
    """Removes what an earlier attempt left: a retry may be given the same folder."""
    for name in (*features.OVERVIEW_FILES, features.PICTURES_FILE):
        Path(uri, name).unlink(missing_ok=True)
    splits = (*features.SPLITS, features.UNLABELLED)
    originals = os.path.join(uri, features.ORIGINALS)
    for folder in (
        staging_folder(uri),
        originals,
        *(_split_folder(uri, split) for split in splits),
    ):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)


def publish(files: Sequence[Mapping[str, str]], uri: str, splits: Sequence[str]) -> None:
    """Moves the records of all shards from the staging folder to where TFX looks for them.

    Args:
        files: Of each shard, paths by split.
        uri: folder of the artifact.
        splits: what to move.
    """
    for split in splits:
        folder = _split_folder(uri, split)
        Path(folder).mkdir(parents=True, exist_ok=True)
        for index, paths in enumerate(files):
            name = f"data_tfrecord-{index:05d}-of-{len(files):05d}.gz"
            # From one file system to another it is copied.
            shutil.move(paths[split], os.path.join(folder, name))


def require_space(total_bytes: int, uri: str) -> None:
    """Refuses a disk that cannot hold the records, which are about as large as the pictures.

    While they are dealt out to the splits there are two of each.

    Args:
        total_bytes: size of the pictures.
        uri: folder of the artifact.

    Raises:
        UserError: too little is free.
    """
    free = shutil.disk_usage(uri).free
    if free < 2 * total_bytes:
        raise UserError(
            f"the pictures take {total_bytes / 1e6:,.1f} MB and need twice that for a while, but "
            f"{printable(uri)} has only {free / 1e6:,.1f} MB free: free some space or set another "
            "pipeline root"
        )


def _split_folder(uri: str, split: str) -> str:
    return os.path.join(uri, f"Split-{split}")
