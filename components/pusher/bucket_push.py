"""Puts a SavedModel into an object store as the version that is served: a compare-and-swap."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from components import destinations, served_versions
from components.bucket import Bucket, StaleError
from components.errors import UserError
from components.pusher.push import check_signed, gather, stale
from components.pusher.record import record_push
from components.served_versions import ServedState


def push(
    model: Path,
    address: str,
    compared: ServedState,
    evidence: Iterable[Path] = (),
    signing_key: str = "",
) -> str:
    """Uploads a model under a number of its own, and serves it from then on.

    Args:
        model: folder of the SavedModel.
        address: s3://bucket/prefix.
        compared: what was served when the model was compared.
        evidence: as of `push.push`.
        signing_key: see `record_push`.

    Returns:
        The address of the new version, as KServe's `storageUri` takes it.

    Raises:
        StaleComparisonError: something else is served by now; the destination is as it was.
        StoreError: the store failed. What is served is as it was, unless the very last answer was
            lost; then the next run finds this model as the one that is served.
    """
    with tempfile.TemporaryDirectory(prefix="graft-push-") as folder:
        staging = Path(folder)
        gather(evidence, staging)
        record_push(model, staging, signing_key)
        return _publish(address, model, staging, compared)


def republish(address: str, name: str, reason: str, signing_key: str = "") -> str:
    """Serves an older version again, under a new number.

    Args:
        address: s3://bucket/prefix.
        name: of the version.
        reason: why, in the user's words; may be empty.
        signing_key: as of `push.republish`.

    Returns:
        The address of the new version.

    Raises:
        UserError: there is no such version, it is served already, it is damaged, its
            signature proves nothing, or as of `push`.
        StoreError: as of `push`.
    """
    version = destinations.find_version(address, name)
    if version.is_champion:
        raise UserError(f"version {name} is what {address} serves already")
    compared = destinations.served_state(address)
    _, replaced = destinations.served_digest(address)
    with (
        destinations.open_version(address, version) as copy,
        destinations.open_evidence(address, name) as evidence,
    ):
        if damage := served_versions.find_change(copy):
            raise UserError(f"{version.path} is damaged: {damage}")
        if signing_key:
            check_signed(copy, evidence, signing_key)
        rollback = {"republished": name, "taken_back": replaced, "reason": reason}
        record_push(copy.path, evidence, signing_key, **rollback)
        return _publish(address, copy.path, evidence, compared)


def _publish(address: str, model: Path, evidence: Path, compared: ServedState) -> str:
    bucket = Bucket(address)
    current = bucket.current()
    if (str(current.version) if current else "") != compared.champion:
        raise stale(address, compared)
    try:
        published = bucket.publish(model, evidence, current)
    except StaleError:
        raise stale(address, compared) from None
    return destinations.place_of(bucket.address, str(published.version))
