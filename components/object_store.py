"""Objects below an address in a store of S3's protocol, with errors that its user can read.

A store has no rename, and no lock. What it has is a write of one object on a condition: that the
object is still the one that was read (If-Match), or that there is none (If-None-Match).
"""

import contextlib
import functools
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from components.errors import UserError

SCHEME = "s3://"

# S3 answers 409 where two writers of one object meet, 412 where the condition does not hold.
_CONFLICTS = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_MISSING = ("NoSuchKey", "404")
_WHY = {
    "NoSuchBucket": "there is no such bucket: make it first",
    "AccessDenied": "the store does not allow this: look at the rights of the key",
    "403": "the store does not allow this: look at the rights of the key",
    "InvalidAccessKeyId": "the store does not know the key (AWS_ACCESS_KEY_ID)",
    "SignatureDoesNotMatch": "the secret key is not that of the key (AWS_SECRET_ACCESS_KEY)",
}


class StoreError(OSError):
    """The store did not do what it was asked; one line for the user."""


class ConflictError(Exception):
    """The condition of a write did not hold."""


class ObjectStore:
    """A prefix of a bucket.

    Every method raises a StoreError where there is no such bucket, no right or no answer.

    Attributes:
        address: s3://bucket/prefix, without a slash at its end.
    """

    def __init__(self, address: str, client: Any = None):
        """Prepares a client; sends nothing.

        Args:
            address: s3://bucket/prefix.
            client: of boto3; None: one made from the environment (AWS_ENDPOINT_URL names another
                store than Amazon's, as MinIO).

        Raises:
            UserError: another address, or boto3 is not installed.
        """
        self.address = checked_address(address)
        self._bucket, _, self._prefix = self.address.removeprefix(SCHEME).partition("/")
        self._client = client or _client()

    def read(self, name: str) -> tuple[bytes, str] | None:
        """The content and the ETag of an object; None if there is none."""
        try:
            with self._told():
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(name))
                return answer["Body"].read(), answer["ETag"]
        except _MissingError:
            return None

    def write(
        self, name: str, content: bytes, *, if_match: str = "", if_absent: bool = False
    ) -> str:
        """Writes a small object.

        Args:
            name: below the address.
            content: of it.
            if_match: ETag that the object must still have; empty: any.
            if_absent: whether there must be none yet.

        Returns:
            Its ETag.

        Raises:
            ConflictError: the condition does not hold. Also where it did and the answer was lost:
                the client then asks a second time.
        """
        condition = {"IfMatch": if_match} if if_match else {}
        if if_absent:
            condition = {"IfNoneMatch": "*"}
        with self._told():
            answer = self._client.put_object(
                Bucket=self._bucket, Key=self._key(name), Body=content, **condition
            )
        return answer["ETag"]

    def upload(self, folder: Path, name: str) -> None:
        """Uploads all files of a folder; none where it does not exist."""
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            key = self._key(f"{name}/{file.relative_to(folder).as_posix()}")
            with self._told():
                self._client.upload_file(str(file), self._bucket, key)

    def download(self, name: str, folder: Path, only: Collection[str] = ()) -> None:
        """Downloads the objects of a folder into one on this machine, which is made if need be.

        Args:
            name: of the folder.
            folder: on this machine.
            only: objects that are enough, by their path in it; empty: all are wanted.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for relative in self.sizes(name):
            if only and relative not in only:
                continue
            file = folder / relative
            if not file.resolve().is_relative_to(folder.resolve()):
                raise StoreError(f"{self.address}/{name}/{relative}: its name leads out of there")
            file.parent.mkdir(parents=True, exist_ok=True)
            key = self._key(f"{name}/{relative}")
            try:
                with self._told():
                    self._client.download_file(self._bucket, key, str(file))
            except _MissingError as error:
                where = f"{self.address}/{name}/{relative}"
                raise StoreError(f"{where} was removed while it was downloaded") from error

    def sizes(self, name: str) -> dict[str, int]:
        """Bytes of all objects of a folder, by their path in it."""
        prefix = self._key(f"{name}/")
        with self._told():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            return {
                found["Key"].removeprefix(prefix): found["Size"]
                for page in pages
                for found in page.get("Contents", ())
                if not found["Key"].endswith("/")
            }

    def folders(self) -> set[str]:
        """Names of the folders right below the address that hold an object."""
        prefix = self._key("")
        with self._told():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter="/"
            )
            return {
                found["Prefix"].removeprefix(prefix).rstrip("/")
                for page in pages
                for found in page.get("CommonPrefixes", ())
            }

    def remove(self, name: str) -> None:
        """Removes an object, or all objects of a folder, as far as the store still answers."""
        try:
            for relative in ("", *(f"/{path}" for path in self.sizes(name))):
                # Of an object that is not there some stores say so, and others nothing.
                with contextlib.suppress(_MissingError), self._told():
                    key = self._key(f"{name}{relative}")
                    self._client.delete_object(Bucket=self._bucket, Key=key)
        except StoreError:
            pass

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}"

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turns boto3's errors into one line."""
        from boto3.exceptions import Boto3Error, RetriesExceededError, S3UploadFailedError
        from botocore.exceptions import BotoCoreError, ClientError
        from s3transfer.exceptions import S3DownloadFailedError  # the object was changed meanwhile

        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error, S3DownloadFailedError, OSError) as raised:
            error = raised
            if isinstance(error, S3UploadFailedError):
                error = error.__context__ or error
            if isinstance(error, RetriesExceededError):  # of a download
                error = error.last_exception or error
            if not isinstance(error, ClientError):
                raise StoreError(f"{self.address}: {error}") from error
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _CONFLICTS:
                raise ConflictError from error
            if code in _MISSING:
                raise _MissingError from error
            raise StoreError(f"{self.address}: {_WHY.get(code, str(error))}") from error


def checked_address(address: str) -> str:
    """An address without slashes at its end.

    Raises:
        UserError: it names no folder of a bucket.
    """
    bucket, _, prefix = address.removeprefix(SCHEME).partition("/")
    parts = prefix.strip("/").split("/")
    if not address.startswith(SCHEME) or not bucket or not all(parts) or {".", ".."} & set(parts):
        raise UserError(f"{address}: write s3://BUCKET/FOLDER, as s3://models/fruit")
    return f"{SCHEME}{bucket}/{'/'.join(parts)}"


class _MissingError(Exception):
    """There is no such object."""


def _client() -> Any:
    """One for all stores of a process, as long as the environment says the same."""
    return _client_of(frozenset(pair for pair in os.environ.items() if pair[0].startswith("AWS_")))


@functools.lru_cache(maxsize=2)
def _client_of(environment: frozenset[tuple[str, str]]) -> Any:
    del environment  # boto3 reads it by itself; to make a client takes it half a second
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise UserError("s3:// needs Graft's extra aws (pip install boto3)") from None
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
