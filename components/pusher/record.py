"""What goes into the evidence of a version when it is pushed, wherever it goes."""

from datetime import datetime, timezone
from pathlib import Path

from components import served_versions
from components.manifests import file_sizes
from components.pusher import signing
from components.served_versions import PushRecord


def record_push(model: Path, evidence: Path, signing_key: str = "", **rollback: str) -> None:
    """Writes the record of a push into a folder of evidence, and signs both.

    Args:
        model: folder of the SavedModel, as it will be served.
        evidence: the folder, with all else that is to lie in it.
        signing_key: path of the private key; empty: not signed.
        rollback: the fields of `PushRecord` that a rollback has.

    Raises:
        UserError: the key cannot be used.
        OSError: it cannot be written.
    """
    signing.remove_signatures(evidence)  # those of the version that a rollback repeats
    if signing_key:
        signing.sign_model(model, evidence, signing_key)
    record = PushRecord(
        datetime.now(timezone.utc),
        served_versions.content_digest(model),
        file_sizes(model),
        files=served_versions.file_digests(model),
        evidence=served_versions.evidence_digests(evidence),
        **rollback,
    )
    served_versions.write_push_record(evidence, record)
    if signing_key:
        signing.sign_evidence(evidence, signing_key)
