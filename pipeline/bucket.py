"""Served versions in an object store: `graft publish`, and what readers go by.

    <prefix>/current.json            the version that is current, and its digest
    <prefix>/7/7/saved_model.pb …    version 7, so that KServe's `storageUri: <prefix>/7` is a base
                                     path with one version in it
    <prefix>/evidence/7/…            what its push left, and `claimed`

A store has no rename. What is atomic is one small object: `current.json` is written on the
condition that it is still what was read before (If-Match, If-None-Match), which makes a
compare-and-swap of it. The files of a version are not, so nobody may look at a version that
`current.json` has not named, and KServe, which does not read it, is pinned to one version.
"""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components import served_versions
from components.errors import UserError

SCHEME = "s3://"
CURRENT_FILE = "current.json"

_CLAIM = "claimed"
# S3 answers 409 where two writers of one object meet, 412 where the condition does not hold.
_CONFLICTS = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_MISSING = ("NoSuchKey", "404")
_MOST_CLAIMS = 100


class StoreError(OSError):
    """The store did not do what it was asked; one line for the user."""


class StaleError(StoreError):
    """Something else has become current meanwhile."""


@dataclasses.dataclass(frozen=True)
class Current:
    """What `current.json` says.

    Attributes:
        version: its number.
        digest: `served_versions.content_digest` of its SavedModel.
        etag: of the object, for the condition.
    """

    version: int
    digest: str
    etag: str


class Bucket:
    """A prefix of a bucket."""

    def __init__(self, address: str, client: Any = None):
        """Prepares a client; sends nothing.

        Args:
            address: s3://bucket/prefix.
            client: of boto3; None: one made from the environment (AWS_ENDPOINT_URL names another
                store than Amazon's, as MinIO).

        Raises:
            UserError: another address, or boto3 is not installed.
        """
        bucket, _, prefix = address.removeprefix(SCHEME).partition("/")
        if not address.startswith(SCHEME) or not bucket or not prefix.strip("/"):
            raise UserError(f"{address}: write s3://BUCKET/FOLDER, as s3://models/fruit")
        self.address = f"{SCHEME}{bucket}/{prefix.strip('/')}"
        self._bucket, self._prefix = bucket, prefix.strip("/")
        self._client = client or _client()

    def current(self) -> Current | None:
        """The current version; None before the first.

        Raises:
            StoreError: no bucket, no right, or no answer.
            UserError: `current.json` is none of Graft's.
        """
        try:
            with self._told():
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(CURRENT_FILE))
                said = answer["Body"].read()
        except _MissingError:
            return None
        try:
            fields = json.loads(said)
            return Current(int(fields["version"]), str(fields["digest"]), answer["ETag"])
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{self.address}/{CURRENT_FILE} is damaged or not Graft's: look which version is "
                "the right one and write it anew, or publish to another folder"
            ) from error

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
            StoreError: see `current`; what is current is as it was.
        """
        digest = served_versions.content_digest(model)
        number = self._claim((compared.version if compared else 0) + 1)
        try:
            for file in _files(model):
                self._upload(file, f"{number}/{number}/{file.relative_to(model).as_posix()}")
            for file in _files(evidence):
                name = file.relative_to(evidence).as_posix()
                self._upload(file, f"{served_versions.EVIDENCE}/{number}/{name}")
            fields = {"version": number, "digest": digest}
            condition = {"IfMatch": compared.etag} if compared else {"IfNoneMatch": "*"}
            answer = self._put(CURRENT_FILE, json.dumps(fields), **condition)
        except _ConflictError:
            self._remove(number)
            raise StaleError(
                f"not published: {self.address} has another current version than before; look at "
                "it and publish again"
            ) from None
        except BaseException:
            self._remove(number)
            raise
        return Current(number, digest, answer["ETag"])

    def _claim(self, number: int) -> int:
        """A number that nobody else uploads to, nor a publication before that was cut off."""
        for candidate in range(number, number + _MOST_CLAIMS):
            try:
                name = f"{served_versions.EVIDENCE}/{candidate}/{_CLAIM}"
                self._put(name, "", IfNoneMatch="*")
                return candidate
            except _ConflictError:
                continue
        raise StoreError(
            f"{self.address}/{served_versions.EVIDENCE}: the numbers {number} to {candidate} are "
            "taken, by publications that did not end: remove what they left"
        )

    def _put(self, name: str, text: str, **condition: str) -> dict[str, Any]:
        with self._told():
            return self._client.put_object(
                Bucket=self._bucket, Key=self._key(name), Body=text.encode(), **condition
            )

    def _upload(self, file: Path, name: str) -> None:
        with self._told():
            self._client.upload_file(str(file), self._bucket, self._key(name))

    def _remove(self, number: int) -> None:
        """Removes what was uploaded of a version, as far as the store still answers."""
        try:
            with self._told():
                pages = self._client.get_paginator("list_objects_v2").paginate(
                    Bucket=self._bucket, Prefix=self._key(f"{number}/")
                )
                for page in pages:
                    for found in page.get("Contents", ()):
                        self._client.delete_object(Bucket=self._bucket, Key=found["Key"])
        except (StoreError, _MissingError):
            pass

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}"

    def _told(self) -> "_Told":
        return _Told(self.address)


class _ConflictError(Exception):
    """A condition did not hold."""


class _MissingError(Exception):
    """There is no such object."""


class _Told:
    """Turns boto3's errors into one line."""

    def __init__(self, address: str):
        self._address = address

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, trace) -> None:
        from boto3.exceptions import S3UploadFailedError
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, S3UploadFailedError):
            error = error.__context__ or error
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _CONFLICTS:
                raise _ConflictError from error
            if code in _MISSING:
                raise _MissingError from error
            raise StoreError(f"{self._address}: {_WHY.get(code, str(error))}") from error
        if isinstance(error, BotoCoreError | S3UploadFailedError | OSError):
            raise StoreError(f"{self._address}: {error}") from error


_WHY = {
    "NoSuchBucket": "there is no such bucket: make it first",
    "AccessDenied": "the store does not allow this: look at the rights of the key",
    "403": "the store does not allow this: look at the rights of the key",
    "InvalidAccessKeyId": "the store does not know the key (AWS_ACCESS_KEY_ID)",
    "SignatureDoesNotMatch": "the secret key is not that of the key (AWS_SECRET_ACCESS_KEY)",
}


def _client() -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise UserError("s3:// needs boto3: pip install graft-pipeline[aws]") from None
    return boto3.session.Session().client(
        "s3",
        config=Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 3},
            # Stores that are not Amazon's do not know the newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
