"""The folder of an Examples artifact."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.errors import UserError
from components.example_gen import artifact_folder


def test_the_disk_must_hold_the_records_twice(tmp_path, monkeypatch):
    free = 200
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    artifact_folder.require_space(100, str(tmp_path))
    free = 199
    with pytest.raises(UserError, match="need twice that for a while"):
        artifact_folder.require_space(100, str(tmp_path))


def test_nothing_of_an_earlier_attempt_stays(tmp_path):
    folders = ("Split-train", "Split-test", "Split-unlabelled", "originals")
    for folder in (*folders, artifact_folder.staging_folder(str(tmp_path))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").touch()
    for file in ("summary.json", "quarantine.jsonl", "pictures.parquet", "of-others"):
        Path(tmp_path, file).touch()
    artifact_folder.clear(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["of-others"]
