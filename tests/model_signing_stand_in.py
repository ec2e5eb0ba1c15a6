"""What Graft uses of model-signing, in its place where it cannot be installed (Python 3.10).

Signatures have the real ones' form, keys are real keys, and errors have the real ones' types and
first words.
"""

import base64
import hashlib
import json
import types
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_SIGNED = ec.ECDSA(hashes.SHA256())


def modules() -> dict[str, types.ModuleType]:
    """The modules by their names, for `sys.modules`."""
    package = types.ModuleType("model_signing")
    found = {"model_signing": package}
    for name, config in (("hashing", _Hashing), ("signing", _Signing), ("verifying", _Verifying)):
        module = types.ModuleType(f"model_signing.{name}")
        module.Config = config
        setattr(package, name, module)
        found[module.__name__] = module
    return found


class _Hashing:
    _ignored = frozenset()

    def set_ignored_paths(self, *, paths, ignore_git_paths):
        assert not ignore_git_paths
        self._ignored = frozenset(paths)
        return self

    def digests(self, folder: Path) -> list[tuple[str, str]]:
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        names = [path.relative_to(folder).as_posix() for path in files]
        return [
            (name, hashlib.sha256((folder / name).read_bytes()).hexdigest())
            for name in names
            if name not in self._ignored
        ]


class _Config:
    _hashing = _Hashing()

    def set_hashing_config(self, hashing):
        self._hashing = hashing
        return self


class _Signing(_Config):
    def use_elliptic_key_signer(self, *, private_key):
        self._key = serialization.load_pem_private_key(Path(private_key).read_bytes(), None)
        _check_curve(self._key.public_key())
        return self

    def sign(self, folder, file):
        resources = [{"name": n, "digest": d} for n, d in self._hashing.digests(folder)]
        payload = json.dumps({"predicate": {"resources": resources}}).encode()
        bundle = {
            "verificationMaterial": {"publicKey": {"hint": _hint(self._key.public_key())}},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "signatures": [
                    {"sig": base64.b64encode(self._key.sign(payload, _SIGNED)).decode()}
                ],
            },
        }
        file.write_text(json.dumps(bundle))


class _Verifying(_Config):
    def use_elliptic_key_verifier(self, *, public_key):
        self._key = serialization.load_pem_public_key(Path(public_key).read_bytes())
        _check_curve(self._key)
        return self

    def verify(self, folder, file):
        bundle = json.loads(file.read_text())
        if bundle["verificationMaterial"]["publicKey"]["hint"] != _hint(self._key):
            raise ValueError("Key mismatch: The public key hash …")
        envelope = bundle["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        (signature,) = envelope["signatures"]
        self._key.verify(base64.b64decode(signature["sig"], validate=True), payload, _SIGNED)
        resources = json.loads(payload)["predicate"]["resources"]
        if [(of["name"], of["digest"]) for of in resources] != self._hashing.digests(folder):
            raise ValueError("Signature mismatch: …")


def _check_curve(key) -> None:
    if key.curve.name not in ("secp256r1", "secp384r1", "secp521r1"):
        raise ValueError(f"Unsupported key for curve '{key.curve.name}'")


def _hint(key) -> str:
    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(pem).hexdigest()
