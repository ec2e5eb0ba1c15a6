"""`graft verify`, and what a rollback signs."""

import json
import shutil
from pathlib import Path

import pytest

from components.errors import UserError
from components.pusher.push import push
from components.served_versions import served_state
from pipeline.commands.versions import roll_back, verify


def flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[3] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("file", ["3/saved_model.pb", "evidence/3/gates.json"])
def test_a_flipped_byte_is_named(graft, destination, file):
    assert graft(verify, None, None).endswith("/3: all 4 files are those that were pushed\n")
    flip_a_byte(destination / file)
    named = file.replace("3/s", "3: s").replace(".", "[.]")
    with pytest.raises(UserError, match=rf"{named} (is not what was pushed|is not as it was)"):
        graft(verify, "3", None)
    assert "/2: all 3 files" in graft(verify, "2", None)


def test_a_record_of_an_earlier_release_knows_no_single_files(graft, destination):
    record = destination / "evidence" / "3" / "pushed.json"
    fields = json.loads(record.read_text())
    assert set(fields.pop("files")) == {"saved_model.pb"}
    record.write_text(json.dumps(fields))
    assert "all 4 files" in graft(verify, "3", None)
    flip_a_byte(destination / "3" / "saved_model.pb")
    with pytest.raises(UserError, match=r"/3: its files are not those that were pushed"):
        graft(verify, "3", None)


def test_without_a_record_nothing_is_proved(graft):
    with pytest.raises(UserError, match="/1 has no record of its push"):
        graft(verify, "1", None)


@pytest.fixture
def signed(graft, tmp_path, destination, signing_keys):
    """The recipe demands signatures, and version 4 is signed."""
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(recipe.read_text() + f"push: {{sign: {{key: {signing_keys}/own.pem}}}}\n")
    push(
        tmp_path / "model",
        destination,
        served_state(destination),
        signing_key=str(signing_keys / "own.pem"),
    )


def test_with_a_key_it_must_be_signed(graft, signed, signing_keys):
    said = "/4: all 2 files are those that were pushed, signed with the key of "
    assert graft(verify, None, None).endswith(f"{said}{signing_keys}/own.pem\n")
    assert graft(verify, "4", signing_keys / "own.pub").endswith(f"{said}{signing_keys}/own.pub\n")
    with pytest.raises(UserError, match=r"evidence/4/model\.sig is by another key"):
        graft(verify, "4", signing_keys / "other.pub")
    for key in (None, signing_keys / "own.pub"):
        with pytest.raises(UserError, match=r"/3 is not signed: there is no .*model\.sig"):
            graft(verify, "3", key)


def test_without_a_key_a_signature_is_said_not_to_be_checked(graft, signed, tmp_path):
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(recipe.read_text().replace("push:", "x-push:"))
    assert graft(verify, None, None).endswith("were pushed; they are signed, which --key checks\n")


def test_a_rollback_signs_what_was_signed(graft, signed, destination):
    flip_a_byte(destination / "3" / "saved_model.pb")  # served by nobody
    shutil.copytree(destination / "4", destination / "5")
    shutil.copytree(destination / "evidence" / "4", destination / "evidence" / "5")
    assert "Version 6 is served" in graft(roll_back, "4", "")
    assert "signed with the key of" in graft(verify, None, None)
    with pytest.raises(UserError, match=r"version 2 is not signed again: .*--set push.sign=null"):
        graft(roll_back, "2", "")


def test_every_file_of_the_evidence_is_compared(graft, destination):
    record = json.loads((destination / "evidence" / "3" / "pushed.json").read_text())
    for file in sorted(record["evidence"]):
        before = (destination / "evidence" / "3" / file).read_bytes()
        flip_a_byte(destination / "evidence" / "3" / file)
        with pytest.raises(UserError, match=rf"evidence/3/{file} is not as it was"):
            graft(verify, None, None)
        (destination / "evidence" / "3" / file).write_bytes(before)


def test_evidence_that_was_removed_is_missed(graft, destination):
    (destination / "evidence" / "3" / "gates.json").unlink()
    with pytest.raises(UserError, match=r"evidence/3/gates\.json is not as it was when version 3"):
        graft(verify, None, None)
