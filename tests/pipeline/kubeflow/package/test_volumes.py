"""Which paths in a pod outlive it."""

import pytest

from pipeline.kubeflow.package.volumes import on_volume

MOUNTS = ["/mnt/pictures", "/mnt/models"]


@pytest.mark.parametrize("path", ["/mnt/pictures", "/mnt/models", "/mnt/models/a/b"])
def test_a_folder_where_a_volume_is_mounted_or_below_outlives_the_pod(path):
    assert on_volume(path, MOUNTS)
    assert not on_volume(path, [])


@pytest.mark.parametrize(
    "path", ["/mnt", "/mnt/modelsofmine", "/mnt/models/../x", "mnt/models", "/x/mnt/models", ""]
)
def test_any_other_is_gone_with_it(path):
    assert not on_volume(path, MOUNTS)
