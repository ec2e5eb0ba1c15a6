"""Data sources at an address: downloaded once, checked, and kept for the runs to come."""

import os
import urllib.parse
from pathlib import Path

import filelock

from components.download import WrongContentError, download
from components.errors import UserError, is_disk_full
from components.files import cache_folder
from components.settings import refuse_password
from components.text import printable

# One time for every copy, so that a download anew gives no other cache keys.
_MTIME = 946_684_800  # 2000-01-01, seconds since 1970


def is_address(source: str) -> bool:
    """Whether a source is not on a disk."""
    return "://" in source


def check_address(source: str, sha256: str | None) -> None:
    """Refuses an address that no file can be had from, or whose file nobody could check.

    Raises:
        UserError: see above.
    """
    refuse_password(source, key="data.source")
    shown = printable(source)
    if urllib.parse.urlsplit(source).scheme.lower() not in ("http", "https"):
        raise UserError(
            f"data.source {shown} is a remote address: only s3://, gs://, http://, https:// and "
            "local paths are supported"
        )
    if not file_name(source):
        raise UserError(f"data.source {shown} names no file: expected the address of one")
    if not sha256:
        raise UserError(
            f"data.sha256 is not set: {shown} needs the SHA-256 of its file, as `sha256sum` prints "
            "it, so that no other one is trained on"
        )


def kept_at(url: str, sha256: str) -> Path:
    """Absolute path that the file at an address has once it has been downloaded."""
    return cache_folder() / "sources" / sha256[:32] / file_name(url)


def fetch(url: str, sha256: str) -> Path:
    """Downloads a data source, unless that has been done already.

    It is kept in `$GRAFT_CACHE`, or else in `~/.cache/graft`.

    Args:
        url: one that `check_address` does not refuse.
        sha256: digest of the file, as 64 hexadecimal digits.

    Returns:
        Absolute path of the file, under its own name.

    Raises:
        UserError: it cannot be had, or is another one.
    """
    shown = printable(url)
    path = kept_at(url, sha256)
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Of two runs that want it, one waits for the other.
        with filelock.FileLock(path.parent / ".lock"):
            if not path.exists():
                download(url, path, sha256)
                os.utime(path, (_MTIME, _MTIME))
    except WrongContentError as error:
        raise UserError(
            f"data.sha256 is {sha256}, but {shown} gives {error}: correct whichever is wrong"
        ) from error
    except OSError as error:
        full = is_disk_full(error)  # of which `download` keeps nothing
        advice = "free some space" if full else "try again, what has arrived is kept"
        raise UserError(
            f"data.source {shown} cannot be downloaded to {path.parent} ({error}): {advice}. "
            "GRAFT_CACHE names another folder"
        ) from error
    return path


def file_name(url: str) -> str:
    """Name of the file at an address."""
    return Path(urllib.parse.unquote(urllib.parse.urlsplit(url).path)).name
