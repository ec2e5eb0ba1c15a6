"""The folder that stands in for an artifact store."""

import os

from pipeline.kubeflow.emulator.object_store import ObjectStore


def test_files_go_in_and_come_out_without_times_modes_and_empty_folders(tmp_path):
    local = tmp_path / "local"
    (local / "empty").mkdir(parents=True)
    (local / "inner").mkdir()
    (local / "inner" / "file").write_text("content")
    os.utime(local / "inner" / "file", (1, 1))
    (local / "inner" / "file").chmod(0o700)
    (local / "link").symlink_to(local / "inner" / "file")
    store = ObjectStore(tmp_path / "store")
    store.upload(local, "gs://bucket/key")
    store.download("gs://bucket/key", tmp_path / "there")
    found = {p.relative_to(tmp_path / "there").as_posix() for p in (tmp_path / "there").rglob("*")}
    assert found == {"inner", "inner/file", "link"}
    file = tmp_path / "there" / "inner" / "file"
    assert file.read_text() == "content"
    assert file.stat().st_mtime > 1 and not file.stat().st_mode & 0o100
    assert not (tmp_path / "there" / "link").is_symlink()
    assert store.path("gs://bucket/key") == tmp_path / "store" / "gcs" / "bucket" / "key"


def test_an_artifact_that_is_one_file_comes_out_as_one(tmp_path):
    (tmp_path / "page").write_text("content")
    store = ObjectStore(tmp_path / "store")
    store.upload(tmp_path / "page", "s3://b/run/page")
    store.download("s3://b/run/page", tmp_path / "pod" / "page")
    assert (tmp_path / "pod" / "page").read_text() == "content"


def test_an_output_without_files_is_no_folder_for_its_consumer(tmp_path):
    (tmp_path / "baseline").mkdir()
    store = ObjectStore(tmp_path / "store")
    store.upload(tmp_path / "baseline", "minio://b/baseline")
    store.upload(tmp_path / "was never made", "minio://b/other")
    store.download("minio://b/baseline", tmp_path / "there")
    assert not (tmp_path / "there").exists()
