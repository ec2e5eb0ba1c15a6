"""Downloads a file: whole, the right one, and from where an earlier attempt broke off."""

import errno
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from components import progress

_TIMEOUT_S = 60
_CHUNK_BYTES = 1 << 20
# Attempts before a server is given up: in a row that bring nothing new, and at all.
_MOST_FUTILE, _MOST_ATTEMPTS = 2, 100
_RANGE_NOT_SATISFIABLE = 416


class WrongContentError(Exception):
    """An address gives something else than its digest says; the text tells what."""


def download(url: str, path: Path, sha256: str | None = None) -> None:
    """Writes what an address gives to a file.

    With a digest, what a broken connection or a killed process left is kept beside the file, as
    `<name>.part`, and completed. Without one it is not: the server may give another file by now.

    Args:
        url: `http://` or `https://`.
        path: file to write, in a folder that exists; it is there whole or not at all.
        sha256: what the file's digest must be, as 64 hexadecimal digits; None: anything.

    Raises:
        OSError: it cannot be had whole, or https leads to http.
        WrongContentError: the digest is another one; nothing of it is kept.
    """
    part = path.with_name(f"{path.name}.part")
    if not sha256:
        part.unlink(missing_ok=True)
    futile, attempts = 0, 0
    while True:
        attempts += 1
        before = _size(part)
        try:
            _fetch(url, part)
            break
        except http.client.HTTPException as error:
            failure: OSError = OSError(f"the answer is broken: {error!r}")
        except urllib.error.HTTPError as error:
            raise OSError(f"the server answers {error.code} {error.reason}") from error
        except OSError as error:  # URLError and timeouts are kinds of it
            if error.errno == errno.ENOSPC:
                part.unlink(missing_ok=True)  # others need the disk too
                raise
            failure = error
        futile = 0 if _size(part) > before else futile + 1
        if not sha256 or futile == _MOST_FUTILE or attempts == _MOST_ATTEMPTS:
            raise failure
    if sha256:
        _check(part, sha256)
    part.replace(path)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fetch(url: str, part: Path) -> None:
    """Appends what is missing to a part of a file."""
    start = _size(part)
    # The callers' settings admit http and https only.
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})  # noqa: S310
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        if start and error.code == _RANGE_NOT_SATISFIABLE:
            return  # nothing is missing; the digest tells whether it is right
        raise
    with answer:
        if url.lower().startswith("https://") and not answer.url.lower().startswith("https://"):
            raise OSError(f"it leads to {answer.url}, which anybody on the way could replace")
        # Servers may send the whole file in spite of what was asked for.
        continued = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if not continued:
            start = 0
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else None
        with part.open("ab" if continued else "wb") as file:
            while chunk := answer.read(_CHUNK_BYTES):
                file.write(chunk)
                progress.report("bytes", file.tell(), total)
            if total is not None and file.tell() < total:
                raise OSError(f"it ended after {file.tell():,} of {total:,} bytes")
            file.flush()
            os.fsync(file.fileno())  # it gets a name by which later runs take it unseen


def _check(part: Path, sha256: str) -> None:
    """Compares the digest, and removes what has another one: it cannot be completed."""
    digest = hashlib.sha256()
    with part.open("rb") as file:
        first = chunk = file.read(_CHUNK_BYTES)
        while chunk:
            digest.update(chunk)
            chunk = file.read(_CHUNK_BYTES)
    if digest.hexdigest() == sha256:
        return
    part.unlink()
    if first.lstrip()[:100].lower().startswith((b"<!doctype html", b"<html")):
        raise WrongContentError("a web page, as of a log-in or about the file")
    raise WrongContentError(f"a file of {digest.hexdigest()}")
