"""Versions are signed where they are pushed, and a signature proves what it says, or nothing."""

import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from components import served_versions
from components.errors import UserError
from components.pusher import signing
from components.pusher.push import push, republish
from components.served_versions import ServedState, served_state


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.data").write_bytes(b"weights")
    return folder


@pytest.fixture
def destination(tmp_path, model, signing_keys):
    """Serves two signed versions; the evidence has findings and statistics."""
    folder, found = tmp_path / "serving", tmp_path / "found"
    folder.mkdir()
    (found / "statistics").mkdir(parents=True)
    (found / "gates.json").write_text("[{}]")
    (found / "statistics" / "FeatureStats.pb").write_bytes(b"statistics")
    for content in (b"graph 1", b"graph 2"):
        (model / "saved_model.pb").write_bytes(content)
        push(model, folder, served_state(folder), [found], str(signing_keys / "own.pem"))
    return folder


@pytest.fixture
def check(destination, signing_keys):
    def check(name="2", key="own"):
        signing.check_signatures(
            destination / name,
            destination / "evidence" / name,
            signing.read_public_key(signing_keys / f"{key}.pub"),
        )

    return check


def test_model_and_evidence_are_signed_and_the_key_is_nowhere(check, destination, signing_keys):
    check("1")
    check("2")
    evidence = served_versions.evidence_folder(destination, "2")
    record = served_versions.read_push_record(destination, "2")
    assert served_versions.evidence_digests(evidence) == record.evidence, "signed behind it"
    with pytest.raises(UserError, match=r"evidence/2/model\.sig is by another key$"):
        check("2", "other")
    secret = (signing_keys / "own.pem").read_text().splitlines()[1]
    for file in destination.rglob("*"):
        assert file.is_dir() or secret.encode() not in file.read_bytes()


FILES = ["saved_model.pb", "variables/variables.data"]
EVIDENCE = ["gates.json", "statistics/FeatureStats.pb", "pushed.json", "model.sig"]


@pytest.mark.parametrize("file", [f"2/{n}" for n in FILES] + [f"evidence/2/{n}" for n in EVIDENCE])
def test_a_flipped_byte_in_any_file_is_named(check, destination, file):
    content = bytearray((destination / file).read_bytes())
    content[3] ^= 1
    (destination / file).write_bytes(content)
    with pytest.raises(UserError, match=rf"{file} is (not what was signed|damaged)"):
        check()


def test_every_byte_of_a_signature_counts(check, destination):
    """But for the bits that base64 does not use, which say nothing."""
    file = destination / "evidence" / "2" / "evidence.sig"
    whole = file.read_bytes()
    for at in range(0, len(whole), 5):
        if whole[at + 1 : at + 2] == b"=":  # of what stands before it base64 may use two bits alone
            continue
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :])
        with pytest.raises(UserError, match=r"evidence\.sig is (damaged|by another key)"):
            check()
    for end in (0, 1, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:end])
        with pytest.raises(UserError, match=r"evidence\.sig is damaged: .* of .*/2 \(.+\)$"):
            check()


@pytest.mark.parametrize(("folder", "kind"), [("2", "model"), ("evidence/2", "evidence")])
def test_what_came_and_what_went_is_named(check, destination, folder, kind):
    for more in ("more", ".gitignore"):
        (destination / folder / more).write_text("")
        with pytest.raises(UserError, match=rf"{folder}/{more} is not among the files that were s"):
            check()
        (destination / folder / more).unlink()
    gone = next(iter((destination / folder).glob("*.pb" if kind == "model" else "*.json")))
    gone.unlink()
    with pytest.raises(UserError, match=rf"{folder}/{gone.name} was signed and is missing"):
        check()


@pytest.mark.parametrize("name", ["model.sig", "evidence.sig"])
def test_without_a_signature_nothing_is_signed(check, destination, name):
    (destination / "evidence" / "2" / name).unlink()
    with pytest.raises(UserError, match=rf"is not signed: there is no .*evidence/2/{name}$"):
        check()
    assert not signing.is_signed(destination / "evidence" / "2")


def test_signatures_of_another_version_prove_nothing_of_this_one(check, destination):
    for name in ("model.sig", "evidence.sig"):
        shutil.copy(destination / "evidence" / "1" / name, destination / "evidence" / "2" / name)
    with pytest.raises(UserError, match=r"/2/saved_model\.pb is not what was signed"):
        check()


def test_a_version_that_is_served_again_is_signed_again(check, destination, signing_keys):
    old = (destination / "evidence" / "1" / "evidence.sig").read_bytes()
    version = republish(destination, "1", "", str(signing_keys / "own.pem"))
    check(version.name)
    assert (destination / "evidence" / "1" / "evidence.sig").read_bytes() == old, "hard links"
    check("1")


def test_without_a_key_it_is_served_again_without_signatures(destination):
    republish(destination, "1", "")
    evidence = destination / "evidence" / "3"
    assert not list(evidence.glob("*.sig")) and not signing.is_signed(evidence)
    assert signing.is_signed(destination / "evidence" / "1")


def test_what_nobody_is_known_to_have_signed_is_not_signed_again(destination, signing_keys, model):
    keys = {name: str(signing_keys / f"{name}.pem") for name in ("own", "other")}
    with pytest.raises(UserError, match=r"version 1 is not signed again: .*by another key"):
        republish(destination, "1", "", keys["other"])
    # Somebody who can write there, and knows how records are made, but has no key:
    (destination / "1" / "saved_model.pb").write_bytes(b"graph of somebody else")
    evidence = destination / "evidence" / "1"
    record = served_versions.read_push_record(destination, "1")
    files = served_versions.file_digests(destination / "1")
    fields = json.loads((evidence / "pushed.json").read_text()) | {
        "digest": served_versions.content_digest(destination / "1"),
        "sizes": {name: (destination / "1" / name).stat().st_size for name in record.sizes},
        "files": files,
    }
    (evidence / "pushed.json").write_text(json.dumps(fields))
    with pytest.raises(UserError, match=r"not signed again: .*1/saved_model\.pb is not what was"):
        republish(destination, "1", "", keys["own"])
    republish(destination, "1", "", "")
    push(model, destination, served_state(destination))
    with pytest.raises(UserError, match=r"version 3 is not signed again: .*3 is not signed"):
        republish(destination, "3", "", keys["own"])


BAD_KEYS = [
    ("nowhere.pem", r"nowhere\.pem: No such file or directory"),
    ("own.pub", "is no private key in PEM on the curve P-256, P-384 or P-521, as `openssl"),
    ("curve.pem", "is no private key in PEM on the curve"),
    ("rsa.pem", "is no private key in PEM on the curve"),
    ("junk.pem", "is no private key in PEM on the curve"),
    ("locked.pem", "is locked with a password, which nobody types during a run"),
]


@pytest.mark.parametrize(("file", "message"), BAD_KEYS)
def test_a_key_that_cannot_sign_is_told_and_nothing_is_pushed(
    model, tmp_path, signing_keys, file, message
):
    key = str(signing_keys / file)
    with pytest.raises(UserError, match=rf"^push\.sign\.key: .*{message}") as raised:
        signing.check_key(key)
    assert "\n" not in str(raised.value) and "secret words" not in str(raised.value)
    with pytest.raises(UserError, match=rf"^push\.sign\.key: .*{message}"):
        signing.public_key(key)
    destination = tmp_path / "serving"
    destination.mkdir()
    with pytest.raises(UserError, match=message):
        push(model, destination, ServedState("", 0), signing_key=key)
    assert served_state(destination) == ServedState("", 0)
    assert {path.name for path in destination.iterdir()} <= {"evidence"}
    assert not (destination / "evidence" / "1").exists()


@pytest.mark.parametrize("file", ["own.pem", "rsa.pub", "junk.pem"])
def test_a_public_key_that_is_none_is_told(signing_keys, file):
    with pytest.raises(UserError, match=rf"--key .*{file} is not the public half of a key"):
        signing.read_public_key(signing_keys / file)
    with pytest.raises(UserError, match="--key /nowhere: No such file"):
        signing.read_public_key(signing_keys / "/nowhere")


def test_the_public_half_is_that_of_the_private_one(signing_keys):
    made = signing.public_key(str(signing_keys / "own.pem"))
    assert made == (signing_keys / "own.pub").read_bytes()


def test_a_file_that_cannot_be_read_is_named(check, destination, monkeypatch):
    def refuse(*_):
        raise OSError(13, "Permission denied", "/serving/2/variables/variables.data")

    library = signing._library

    def verifying(module):
        if module != "verifying":
            return library(module)
        config = SimpleNamespace(set_hashing_config=lambda _: None, verify=refuse)
        return SimpleNamespace(
            Config=lambda: SimpleNamespace(use_elliptic_key_verifier=lambda public_key: config)
        )

    evidence = destination / "evidence" / "2"
    monkeypatch.setattr(signing, "_library", verifying)
    with pytest.raises(
        UserError, match=r"^/serving/2/variables/variables\.data: Permission denied$"
    ):
        signing.check_signatures(destination / "2", evidence, b"a key")


def test_without_the_library_it_is_told_how_to_get_it(signing_keys, monkeypatch):
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(UserError, match=r"Python 3\.11.*install Graft's extra sign"):
        signing.check_key(str(signing_keys / "own.pem"))


@pytest.mark.slow
def test_the_librarys_own_command_reads_the_signatures(destination, signing_keys):
    pytest.importorskip("model_signing._cli", reason="model-signing is not installed here")
    command = [sys.executable, "-m", "model_signing", "verify", "key", "2"]
    command += ["--signature", "evidence/2/model.sig", "--public_key", signing_keys / "own.pub"]
    subprocess.run(command, cwd=destination, check=True, timeout=120)
    (destination / "2" / "saved_model.pb").write_bytes(b"graph 3")
    assert subprocess.run(command, cwd=destination, timeout=120).returncode != 0
