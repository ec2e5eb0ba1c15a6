"""Artifacts that are not as they were published."""

import pytest

from pipeline.artifact_manifests import find_damaged, forget, write_missing


@pytest.fixture
def artifact(tmp_path):
    """A published artifact of two splits with its manifest."""
    folder = tmp_path / "artifacts" / "ImageExampleGen" / "examples" / "1"
    for split in ("train", "test"):
        (folder / f"Split-{split}").mkdir(parents=True)
        (folder / f"Split-{split}" / "data.gz").write_bytes(b"x" * 1000)
    write_missing(tmp_path, [str(folder)])
    return folder


def test_a_whole_artifact_is_not_damaged_and_more_files_are_no_damage(tmp_path, artifact):
    assert find_damaged(tmp_path, "ImageExampleGen") == {}
    (artifact / "more").write_text("")
    assert find_damaged(tmp_path, "ImageExampleGen") == {}
    assert find_damaged(tmp_path, "Trainer") == {}
    assert not list(artifact.glob("*.json")), "TFX refuses files of others in some artifacts"


def test_what_is_missing_or_of_another_size_is_named(tmp_path, artifact):
    data = artifact / "Split-train" / "data.gz"
    data.write_bytes(b"x" * 999)
    wrong_size = {str(artifact): "Split-train/data.gz has 999 bytes, not 1,000"}
    assert find_damaged(tmp_path, "ImageExampleGen") == wrong_size
    data.unlink()
    missing = {str(artifact): "Split-train/data.gz is missing"}
    assert find_damaged(tmp_path, "ImageExampleGen") == missing
    assert find_damaged(tmp_path, "Image") == {}, "another node"
    data.parent.rmdir()
    assert find_damaged(tmp_path, "ImageExampleGen") == missing


def test_a_manifest_that_cannot_be_read_is_not_believed(tmp_path, artifact):
    manifest = tmp_path / "manifests" / "ImageExampleGen" / "examples" / "1.json"
    manifest.write_text("{")
    assert "cannot be read" in find_damaged(tmp_path, "ImageExampleGen")[str(artifact)]


def test_an_artifact_is_reported_until_it_is_forgotten(tmp_path, artifact):
    (artifact / "Split-test" / "data.gz").unlink()
    assert find_damaged(tmp_path, "ImageExampleGen")
    for _ in range(2):  # the second time there is nothing to forget
        forget(tmp_path, str(artifact))
    assert find_damaged(tmp_path, "ImageExampleGen") == {}


def test_what_was_noted_first_is_not_noted_again_and_the_others_are(tmp_path, artifact):
    (artifact / "Split-test" / "data.gz").unlink()
    other = artifact.parent / "2"
    other.mkdir()
    (other / "data").write_bytes(b"x")
    write_missing(tmp_path, [str(artifact), str(other)])
    (other / "data").unlink()
    assert find_damaged(tmp_path, "ImageExampleGen") == {
        str(artifact): "Split-test/data.gz is missing",
        str(other): "data is missing",
    }


def test_what_lies_where_the_folder_was_copied_from_is_not_noted(tmp_path, artifact):
    copied = tmp_path / "copied"
    inside = copied / "artifacts" / "ImageExampleGen" / "examples" / "2"
    inside.mkdir(parents=True)
    beside = tmp_path / "copied2" / inside.relative_to(copied)
    beside.mkdir(parents=True)
    write_missing(copied, [str(artifact), str(beside), str(inside)])
    assert [path.name for path in (copied / "manifests").rglob("*.json")] == ["2.json"]


def test_behind_a_manifest_that_cannot_be_read_the_next_one_is(tmp_path, artifact):
    other = artifact.parent / "2"
    other.mkdir()
    (other / "data").write_bytes(b"x")
    write_missing(tmp_path, [str(other)])
    (other / "data").unlink()
    (tmp_path / "manifests" / "ImageExampleGen" / "examples" / "1.json").write_text("{")
    assert list(find_damaged(tmp_path, "ImageExampleGen")) == [str(artifact), str(other)]
