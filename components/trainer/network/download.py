"""Fetches a SavedModel from a server, once."""

import hashlib
import tarfile
import tempfile
from pathlib import Path

from components.download import WrongContentError, download
from components.errors import UserError
from components.served_versions import SAVED_MODEL_FILE


def saved_model(url: str, sha256: str | None, cache: Path) -> Path:
    """Downloads and unpacks a .tar.gz of a SavedModel, unless that has been done already.

    A killed download leaves nothing that a later one could take for whole.

    Args:
        url: `http://` or `https://`.
        sha256: what the archive's digest must be, as 64 hexadecimal digits; None: anything.
        cache: folder in which it is kept, made if need be.

    Returns:
        The folder of the SavedModel.

    Raises:
        UserError: it cannot be had, is another one or no SavedModel.
    """
    # With the digest in its name, a newly demanded one is never met by what was kept without.
    key = hashlib.sha256(f"{url}\0{sha256}".encode()).hexdigest()[:32]
    folder = cache / key
    if folder.is_dir():
        return _find(folder, url)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"backbone.weights: what {url} gives cannot be kept in {cache} ({error}). "
            "KERAS_HOME names another folder"
        ) from error
    with tempfile.TemporaryDirectory(dir=cache) as work:
        archive, unpacked = Path(work, "archive"), Path(work, "unpacked")
        try:
            download(url, archive, sha256)
        except OSError as error:
            raise UserError(f"backbone.weights: {url} cannot be downloaded ({error})") from error
        except WrongContentError as error:
            raise UserError(f"backbone.sha256 is {sha256}, but {url} gives {error}") from error
        try:
            with tarfile.open(archive) as tar:
                # Refuses what would land outside the folder, and devices.
                tar.extractall(unpacked, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            raise UserError(
                f"backbone.weights: {url} does not give a .tar.gz that can be unpacked ({error}). "
                "TensorFlow Hub gives one for an address that ends in ?tf-hub-format=compressed"
            ) from error
        _find(unpacked, url)
        try:
            unpacked.rename(folder)
        except OSError:  # another process was faster
            if not folder.is_dir():
                raise
    return _find(folder, url)


def _find(folder: Path, url: str) -> Path:
    """The SavedModel in an unpacked archive: at its top, or in the one folder that is there."""
    inside = [folder, *sorted(folder.iterdir())]
    found = [path for path in inside if (path / SAVED_MODEL_FILE).is_file()]
    if not found:
        raise UserError(f"backbone.weights: the archive of {url} holds no SavedModel")
    return found[0]
