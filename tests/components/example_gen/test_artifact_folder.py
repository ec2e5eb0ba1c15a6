"""The folder of an Examples artifact."""

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.errors import UserError
from components.example_gen import artifact_folder


def test_the_disk_must_hold_the_records_twice(tmp_path, monkeypatch):
    free = 200_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    artifact_folder.require_space(100_000_000, str(tmp_path))
    free = 199_900_000
    says = (
        rf"take 100\.0 MB and need twice that for a while, but {tmp_path} has only 199\.9 MB free"
    )
    with pytest.raises(UserError, match=says):
        artifact_folder.require_space(100_000_000, str(tmp_path))


def test_nothing_of_an_earlier_attempt_stays(tmp_path):
    folders = ("Split-train", "Split-test", "Split-unlabelled", "originals")
    for folder in (*folders, artifact_folder.staging_folder(str(tmp_path))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").touch()
    for file in ("summary.json", "quarantine.jsonl", "pictures.parquet", "of-others"):
        Path(tmp_path, file).touch()
    artifact_folder.clear(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["of-others"]


@pytest.fixture
def staged(tmp_path) -> list[dict[str, str]]:
    """Three shards with records of two splits; each file holds the name that it is to get."""
    shards = []
    for index in range(3):
        shards.append({})
        for split in ("train", "test"):
            file = tmp_path / f"staged-{index}-{split}"
            file.write_text(f"Split-{split}/data_tfrecord-0000{index}-of-00003.gz")
            shards[-1][split] = str(file)
    return shards


@pytest.mark.parametrize("other_file_system", [False, True])
def test_records_of_all_shards_are_moved(staged, tmp_path, monkeypatch, other_file_system):
    def refuse(source, target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    if other_file_system:
        monkeypatch.setattr(os, "rename", refuse)
    uri = tmp_path / "examples"
    artifact_folder.publish(staged, str(uri), ["train", "test"])
    files = [path for path in uri.rglob("*") if path.is_file()]
    assert len(files) == 6
    assert all(path.read_text() == str(path.relative_to(uri)) for path in files)
    assert not list(tmp_path.glob("staged*"))


def test_what_cannot_be_removed_of_an_earlier_attempt_is_told(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(errno.EACCES, "Permission denied", folder)

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(PermissionError, match=r"Permission denied: '.*/\.staging'"):
        artifact_folder.clear(str(tmp_path))
