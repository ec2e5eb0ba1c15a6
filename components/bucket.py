"""Served versions in an object store: what is in it, and what is served.

    <prefix>/current.json            the version that is served, its digest, and all that ever were
    <prefix>/7/7/saved_model.pb …    version 7, so that KServe's `storageUri: <prefix>/7` is a base
                                     path with one version in it
    <prefix>/evidence/7/…            what its push left, and `claimed`

What is atomic in a store is one small object: `current.json` is written on the condition that it
is still what was read before, which makes a compare-and-swap of it. The files of a version are not,
so nobody may look at a version that `current.json` has not named, and KServe, which does not read
it, is pinned to one version.
"""

import dataclasses
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from components import served_versions
from components.errors import UserError
from components.object_store import ConflictError, ObjectStore, StoreError
from components.served_versions import PushRecord, ServedState, Version

CURRENT_FILE = "current.json"

_CLAIM = "claimed"
_MOST_CLAIMS = 100


class StaleError(StoreError):
    """Something else has become current meanwhile."""


@dataclasses.dataclass(frozen=True)
class Current:
    """What `current.json` says.

    Attributes:
        version: number of the version that is served.
        digest: `served_versions.content_digest` of its SavedModel.
        etag: of the object, for the condition.
        served: numbers of all versions that are or were served, ascending.
    """

    version: int
    digest: str
    etag: str
    served: tuple[int, ...] = ()


class Bucket:
    """The served versions below a prefix.

    Every method raises a StoreError where there is no such bucket, no right or no answer.

    Attributes:
        store: the prefix.
    """

    def __init__(self, address: str, client: Any = None):
        """See `ObjectStore`."""
        self.store = ObjectStore(address, client)

    @property
    def address(self) -> str:
        """s3://bucket/prefix."""
        return self.store.address

    def current(self) -> Current | None:
        """The version that is served; None before the first.

        Raises:
            UserError: `current.json` is none of Graft's.
        """
        found = self.store.read(CURRENT_FILE)
        if found is None:
            return None
        content, etag = found
        try:
            fields = json.loads(content)
            version = int(fields["version"])
            served = tuple(map(int, fields.get("served", [version])))
            return Current(version, str(fields["digest"]), etag, served)
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{self.address}/{CURRENT_FILE} is damaged or not Graft's: look which version is "
                "the right one and write it anew, or use another folder"
            ) from error

    def served_state(self) -> ServedState:
        """What is served now; numbers only grow, so it is the highest."""
        current = self.current()
        return ServedState(str(current.version), current.version) if current else ServedState("", 0)

    def versions(self) -> Iterator[Version]:
        """The versions that are or were served and have not been removed, oldest first.

        Raises:
            UserError: `current.json` or the record of a push is damaged.
        """
        current = self.current()
        there = self.store.folders() if current else set()
        for number in current.served if current else ():
            if str(number) in there or number == current.version:
                yield self._version(number, number == current.version)

    def champion(self) -> Version | None:
        """The version that is served.

        Raises:
            UserError: as of `versions`.
        """
        current = self.current()
        return self._version(current.version, True) if current else None

    def push_record(self, version: str) -> PushRecord | None:
        """What was noted of a version when it was pushed; None if nothing was.

        Raises:
            UserError: it is damaged.
        """
        name = f"{served_versions.EVIDENCE}/{version}/{served_versions.PUSH_FILE}"
        found = self.store.read(name)
        if found is None:
            return None
        return served_versions.parse_push_record(found[0], f"{self.address}/{name}", version)

    def download_model(self, version: str, folder: Path, only: Collection[str] = ()) -> None:
        """Copies the SavedModel of a version into a folder, or those files of it."""
        self.store.download(f"{version}/{version}", folder, only)

    def download_evidence(self, version: str, folder: Path, only: Collection[str] = ()) -> None:
        """Copies what the push of a version left into a folder, or those files of it."""
        self.store.download(f"{served_versions.EVIDENCE}/{version}", folder, only)
        (folder / _CLAIM).unlink(missing_ok=True)

    def publish(self, model: Path, evidence: Path, compared: Current | None) -> Current:
        """Uploads a SavedModel under a number of its own, then makes it current.

        Args:
            model: its folder.
            evidence: folder that is uploaded beside it; may be missing.
            compared: what was current when this was decided on.

        Returns:
            What is current now.

        Raises:
            StaleError: something else is current by now; what was uploaded is removed.
            StoreError: the store failed; what is current is as it was.
        """
        digest = served_versions.content_digest(model)
        number = self._claim((compared.version if compared else 0) + 1)
        try:
            self.store.upload(model, f"{number}/{number}")
            self.store.upload(evidence, f"{served_versions.EVIDENCE}/{number}")
        except BaseException:
            self.store.remove(str(number))
            raise
        try:
            return self._commit(number, digest, compared)
        except ConflictError:
            self.store.remove(str(number))
            raise StaleError(
                f"not published: {self.address} has another current version than before; look at "
                "it and publish again"
            ) from None

    def check_writable(self) -> None:
        """Proves that objects can be written, and leaves none there."""
        name = f"{served_versions.EVIDENCE}/{_CLAIM}"
        self.store.write(name, b"")
        self.store.remove(name)

    def _commit(self, number: int, digest: str, compared: Current | None) -> Current:
        served = (*(compared.served if compared else ()), number)
        content = json.dumps({"version": number, "digest": digest, "served": served}).encode()
        try:
            if compared:
                etag = self.store.write(CURRENT_FILE, content, if_match=compared.etag)
            else:
                etag = self.store.write(CURRENT_FILE, content, if_absent=True)
        except (ConflictError, StoreError):
            # The answer to a write that took place may have been lost; nobody else has the number.
            # What was uploaded stays where the store does not tell: it may be what is served.
            now = self.current()
            if now is None or now.version != number:
                raise
            return now
        return Current(number, digest, etag, served)

    def _claim(self, number: int) -> int:
        """A number that nobody else uploads to, nor a push before that was cut off."""
        for candidate in range(number, number + _MOST_CLAIMS):
            try:
                name = f"{served_versions.EVIDENCE}/{candidate}/{_CLAIM}"
                self.store.write(name, b"", if_absent=True)
                return candidate
            except ConflictError:
                continue
        raise StoreError(
            f"{self.address}/{served_versions.EVIDENCE}: the numbers {number} to {candidate} are "
            "taken, by pushes that did not end: remove what they left"
        )

    def _version(self, number: int, is_champion: bool) -> Version:
        record = self.push_record(str(number))
        sizes = record.sizes if record else self.store.sizes(f"{number}/{number}")
        return Version(
            name=str(number),
            path=f"{self.address}/{number}",
            is_champion=is_champion,
            size_bytes=sum(sizes.values()),
            record=record,
        )
