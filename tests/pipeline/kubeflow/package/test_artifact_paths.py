"""Where the launcher keeps artifacts."""

import pytest

from pipeline.kubeflow.package.artifact_paths import check_pipeline_root, local_path


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("minio://mlpipeline/v2/x", "/minio/mlpipeline/v2/x"),
        ("s3://bucket/v2/x", "/s3/bucket/v2/x"),
        ("gs://bucket/v2/x", "/gcs/bucket/v2/x"),
    ],
)
def test_the_launcher_has_a_folder_per_store(uri, path):
    assert local_path(uri) == path
    assert local_path(uri, "/pod") == f"/pod{path}"


def test_another_store_is_one_clear_error():
    with pytest.raises(ValueError, match=r"hdfs://b/x: the pipeline root must begin with .*gs://"):
        local_path("hdfs://b/x")


@pytest.mark.parametrize("root", ["s3:///", "s3://", "hdfs://b/x", "b/x", ""])
def test_a_root_that_names_no_bucket_is_refused(root):
    with pytest.raises(ValueError, match=rf"^--pipeline-root {root}: .*minio://bucket/folder, s3"):
        check_pipeline_root(root)


@pytest.mark.parametrize("root", ["minio://b", "s3://b/x", "gs://b/x/y"])
def test_a_root_in_a_bucket_will_do(root):
    check_pipeline_root(root)
