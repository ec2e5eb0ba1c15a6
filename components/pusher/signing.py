"""Signs a version and its evidence with model-signing, and checks the signatures.

    <destination>/evidence/7/model.sig     over the files of version 7
    <destination>/evidence/7/evidence.sig  over its evidence, `pushed.json` with the SHA-256 of each
                                           file of the model included

Both are Sigstore bundles by an elliptic-curve key, which `model_signing verify key` reads as well.
They say that whoever holds the key has pushed these bytes, not under which number: the number is no
part of it, so that a copy elsewhere can be checked too.
"""

import base64
import json
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from components import served_versions
from components.errors import UserError
from components.served_versions import EVIDENCE_SIGNATURE
from components.text import one_line

MODEL_SIGNATURE = "model.sig"
KEY_SETTING = "push.sign.key"

_MAKE_KEY = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem"
_MAKE_PUBLIC = "openssl pkey -in key.pem -pubout -out key.pub"


def sign_model(model: Path, evidence: Path, key: str) -> None:
    """Signs a model, before the record of its push is written.

    Args:
        model: folder of the SavedModel.
        evidence: the folder into which the signature goes.
        key: path of the private key.

    Raises:
        UserError: see `check_key`.
    """
    _sign(model, evidence / MODEL_SIGNATURE, key)


def sign_evidence(evidence: Path, key: str) -> None:
    """Signs what lies in a folder of evidence, after the record of the push was written.

    Raises:
        UserError: see `check_key`.
    """
    _sign(evidence, evidence / EVIDENCE_SIGNATURE, key)


def remove_signatures(evidence: Path) -> None:
    """Takes the signatures out of a copy of evidence, whose files may be hard links."""
    for name in (MODEL_SIGNATURE, EVIDENCE_SIGNATURE):
        (evidence / name).unlink(missing_ok=True)


def is_signed(evidence: Path) -> bool:
    """Whether both signatures are there, be they right or wrong."""
    return all((evidence / name).is_file() for name in (MODEL_SIGNATURE, EVIDENCE_SIGNATURE))


def check_key(key: str) -> None:
    """Checks that models can be signed with a key, without signing any.

    Args:
        key: path of the private key, of `push.sign.key`.

    Raises:
        UserError: model-signing is not installed, or there is no such key, or none that can be
            used. What is in the file is never said.
    """
    _signer(key)


def public_key(key: str) -> bytes:
    """The public half of a private key, as PEM.

    Raises:
        UserError: see `check_key`.
    """
    _signer(key)
    from cryptography.hazmat.primitives import serialization

    private = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def read_public_key(file: Path) -> bytes:
    """Reads the file of `--key`.

    Raises:
        UserError: it cannot be read, or holds no public key that signs models.
    """
    verifying = _library("verifying")
    try:
        verifying.Config().use_elliptic_key_verifier(public_key=file)
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"--key {file}: {error.strerror}") from None
    except (ValueError, AttributeError, TypeError):
        raise UserError(
            f"--key {file} is not the public half of a key for signing, which `{_MAKE_PUBLIC}` "
            "writes"
        ) from None


def check_signatures(model: Path, evidence: Path, key: bytes) -> None:
    """Checks that model and evidence are what the holder of a key has signed.

    Args:
        model: folder of the SavedModel.
        evidence: folder of its evidence.
        key: the public key, as PEM.

    Raises:
        UserError: they are not, are not signed, or are signed with another key; the text names the
            file at fault.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "key.pub")
        file.write_bytes(key)
        _check(model, evidence / MODEL_SIGNATURE, file)
        _check(evidence, evidence / EVIDENCE_SIGNATURE, file)


def _check(signed: Path, signature: Path, key: Path) -> None:
    if not signature.is_file():
        raise UserError(f"{signed} is not signed: there is no {signature}")
    checker = _library("verifying").Config().use_elliptic_key_verifier(public_key=key)
    # Said here, not taken from the signature: it may not choose what it is about.
    checker.set_hashing_config(_hashing())
    try:
        checker.verify(signed, signature)
    except OSError as error:
        raise UserError(f"{error.filename or signed}: {error.strerror}") from error
    except Exception as error:  # of many types and libraries, down to an AttributeError
        if str(error).startswith("Key mismatch"):
            raise UserError(f"{signature} is by another key") from None
        if str(error).startswith("Signature mismatch"):
            raise UserError(_difference(signed, signature)) from None
        why = one_line(error, 100)  # empty where the signature is not by the key that it names
        raise UserError(
            f"{signature} is damaged: it proves nothing of {signed}{f' ({why})' if why else ''}"
        ) from None


def _difference(signed: Path, signature: Path) -> str:
    """Names the first file that is other than what a signature is about, which has been checked."""
    bundle = json.loads(signature.read_text(encoding="utf-8"))
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    then = {of["name"]: of["digest"] for of in statement["predicate"]["resources"]}
    now = served_versions.file_digests(signed)
    now.pop(EVIDENCE_SIGNATURE, None)
    for name in sorted(then | now):
        if name not in now:
            return f"{signed / name} was signed and is missing"
        if name not in then:
            return f"{signed / name} is not among the files that were signed"
        if then[name] != now[name]:
            return f"{signed / name} is not what was signed"
    return f"{signed} is not what was signed"


def _sign(folder: Path, signature: Path, key: str) -> None:
    _signer(key).set_hashing_config(_hashing()).sign(folder, signature)


def _hashing() -> Any:
    """Which files of a folder count: all but the signature that lies among what it signs."""
    config = _library("hashing").Config()
    return config.set_ignored_paths(paths=[EVIDENCE_SIGNATURE], ignore_git_paths=False)


def _signer(key: str) -> Any:
    signing = _library("signing")
    try:
        return signing.Config().use_elliptic_key_signer(private_key=key)
    except OSError as error:
        raise UserError(f"{KEY_SETTING}: {key}: {error.strerror}") from None
    except TypeError:
        raise UserError(
            f"{KEY_SETTING}: {key} is locked with a password, which nobody types during a run: "
            "give a key without one, in a file that its owner alone can read"
        ) from None
    except (ValueError, AttributeError):  # of another curve, of no curve
        raise UserError(
            f"{KEY_SETTING}: {key} is no private key in PEM on the curve P-256, P-384 or P-521, "
            f"as `{_MAKE_KEY}` makes one"
        ) from None


def _library(module: str) -> ModuleType:
    try:
        from model_signing import hashing, signing, verifying
    except ImportError:
        raise UserError(
            "signatures need model-signing, which goes with Python 3.11 and newer: "
            "install Graft's extra sign (pip install model-signing pyopenssl)"
        ) from None
    return {"hashing": hashing, "signing": signing, "verifying": verifying}[module]
