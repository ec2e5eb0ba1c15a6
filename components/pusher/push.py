"""Copies a SavedModel into the folder of served versions: a compare-and-swap, seen whole or not."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from components import destinations, served_versions
from components.errors import UserError
from components.pusher import signing
from components.pusher.record import record_push
from components.pusher.staging import staging_folder, sync
from components.served_versions import ServedState, Version


class StaleComparisonError(UserError):
    """What is served is no longer what the model was compared with."""


def push(
    model: Path,
    destination: Path,
    compared: ServedState,
    evidence: Iterable[Path] = (),
    signing_key: str = "",
) -> Path:
    """Copies a model to a new version folder, which is the one that is served from then on.

    The copy is made beside the versions, where no server looks, and renamed when it is whole. Its
    number is the one after the highest at the time of the comparison, so that of two pushes that
    were compared with the same version only one can succeed, also where locks do not work.

    Args:
        model: folder of the SavedModel.
        destination: folder of the served versions.
        compared: what was served when the model was compared.
        evidence: folders whose content is to lie in the evidence of the version; one that is not
            there has none.
        signing_key: see `record_push`.

    Returns:
        The folder of the new version.

    Raises:
        StaleComparisonError: something else is served by now; the destination is as it was.
        UserError: the key cannot be used, another push does not end, or no number is left; the
            destination is as it was.
        OSError: the copy failed, as on a full disk; the destination is as it was.
    """
    _check_number_left(destination, compared)
    with staging_folder(destination) as staging:
        _check_unchanged(destination, compared)
        shutil.copytree(model, staging / "model")
        (staging / "evidence").mkdir()
        gather(evidence, staging / "evidence")
        return _publish(staging, destination, compared, signing_key)


def republish(destination: Path, name: str, reason: str, signing_key: str = "") -> Path:
    """Serves an older version again, under a new number: servers take the highest.

    Its files are the old ones' hard links where the file system has them. The record of the push
    says what was taken back, so that a run does not push that model again.

    Args:
        destination: folder of the served versions.
        name: of the version.
        reason: why, in the user's words; may be empty.
        signing_key: see `record_push`; what is signed again must have been signed with it before.

    Returns:
        The folder of the new version.

    Raises:
        UserError: there is no such version, it is served already, it is damaged, its signature
            proves nothing, or as of `push`; the destination is as it was.
        OSError: the copy failed, as on a full disk; the destination is as it was.
    """
    version = served_versions.find_version(destination, name)
    if version.is_champion:
        raise UserError(f"version {name} is what {destination} serves already")
    champion = served_versions.champion(destination)
    compared = served_versions.served_state(destination)
    _check_number_left(destination, compared)
    if damage := served_versions.find_change(version):
        raise UserError(f"{version.path} is damaged: {damage}")
    evidence = served_versions.evidence_folder(destination, name)
    if signing_key:
        check_signed(version, evidence, signing_key)
    with staging_folder(destination) as staging:
        _check_unchanged(destination, compared)
        shutil.copytree(version.path, staging / "model", copy_function=_link)
        if evidence.is_dir():
            shutil.copytree(evidence, staging / "evidence", copy_function=_link)
        (staging / "evidence").mkdir(exist_ok=True)
        return _publish(
            staging,
            destination,
            compared,
            signing_key,
            republished=name,
            taken_back=served_versions.content_digest(champion.path),
            reason=reason,
        )


def check_signed(version: Version, evidence: Path, signing_key: str) -> None:
    """Refuses to sign again what is not known to have been signed: anybody may have written it.

    Args:
        version: with its files on this machine.
        evidence: folder of its evidence.
        signing_key: path of the private key.

    Raises:
        UserError: see above.
    """
    try:
        signing.check_signatures(version.path, evidence, signing.public_key(signing_key))
    except UserError as error:
        raise UserError(
            f"version {version.name} is not signed again: {error}. With --set push.sign=null it "
            "is served without a signature"
        ) from None


def _publish(
    staging: Path, destination: Path, compared: ServedState, signing_key: str, **rollback: str
) -> Path:
    """Renames `model` and `evidence` to what they are to be; whoever calls it holds the lock."""
    model, evidence = staging / "model", staging / "evidence"
    record_push(model, evidence, signing_key, **rollback)
    sync(staging)
    _check_unchanged(destination, compared)
    version = destination / str(compared.highest + 1)
    evidence_of_version = served_versions.evidence_folder(destination, version.name)
    try:
        # The evidence first: what is served has some, whenever this process is killed.
        # Both fail on a folder that is not empty, also on NFS.
        evidence.rename(evidence_of_version)
        try:
            model.rename(version)
        except OSError:
            evidence_of_version.rename(evidence)
            raise
    except OSError as error:
        if version.exists() or evidence_of_version.exists():
            raise stale(destination, compared) from error
        raise
    if served_versions.version_numbers(destination)[-1] != int(version.name):
        version.rename(staging / "withdrawn")
        evidence_of_version.rename(staging / "withdrawn evidence")
        raise stale(destination, compared)
    return version


def gather(evidence: Iterable[Path], folder: Path) -> None:
    """Copies the content of folders into one; one that is not there has none."""
    for part in evidence:
        if part.is_dir():
            shutil.copytree(part, folder, dirs_exist_ok=True)


def _check_number_left(destination: Path, compared: ServedState) -> None:
    if compared.highest >= served_versions.HIGHEST_NUMBER:
        raise UserError(
            f"{destination / str(compared.highest)} has the highest number that servers read: "
            "rename that folder to a smaller one"
        )


def _check_unchanged(destination: Path, compared: ServedState) -> None:
    if served_versions.served_state(destination) != compared:
        raise stale(destination, compared)


def stale(destination: destinations.Destination, compared: ServedState) -> StaleComparisonError:
    """What to say where something else is served than a model was compared with."""
    now = destinations.served_state(destination)
    return StaleComparisonError(
        f"not pushed: {destination} has changed since this model was compared with what it serves "
        f"(then {compared}, now {now}); run again"
    )


def _link(source: str, target: str) -> None:
    """Copies a file without its bytes where the file system can."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
