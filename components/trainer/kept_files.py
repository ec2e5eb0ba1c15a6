"""Files that a training keeps for the attempt after a kill; damaged ones are made again."""

import logging
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from components.text import one_line

# What NumPy, zipfile and json raise of a file that was cut off or overwritten; a RuntimeError where
# a flipped bit says that it is encrypted, or compressed in a way that zipfile does not know.
_OF_PYTHON = (ValueError, KeyError, EOFError, OSError, RuntimeError)
DAMAGE = (*_OF_PYTHON, tokenize.TokenError, zipfile.BadZipFile, zlib.error)


def read_array(path: Path) -> np.ndarray | None:
    """The array of a .npy file; None if there is none, or only a damaged one, which is removed."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as file:
            return np.load(file, allow_pickle=False)
    except DAMAGE as error:
        discard_damaged(path, error)
        return None


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a .npz file; None if there is none, or only a damaged one, which is removed."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}  # its checksums are checked too
    except DAMAGE as error:
        discard_damaged(path, error)
        return None


def discard_damaged(path: Path, error: object) -> None:
    """Removes a file of an earlier attempt that cannot be used, and says so."""
    logging.warning("%s is damaged (%s): what it held is made again", path, one_line(error))
    path.unlink(missing_ok=True)
