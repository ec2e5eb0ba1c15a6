"""A push is seen whole or not at all."""

import os
import shutil
import subprocess
import time

import pytest

from components import served_versions
from components.pusher import push as push_module
from components.pusher.push import push


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.data").write_bytes(b"w" * 1000)
    return folder


@pytest.fixture
def destination(tmp_path):
    folder = tmp_path / "serving"
    folder.mkdir()
    return folder


def test_a_version_is_a_readable_copy_named_after_the_time(model, destination):
    before = int(time.time())
    version = push(model, destination)
    assert before <= int(version.name) <= int(time.time())
    assert served_versions.content_digest(version) == served_versions.content_digest(model)
    assert version.stat().st_mode & 0o777 == model.stat().st_mode & 0o777
    assert list(destination.iterdir()) == [version]


def test_two_pushes_in_one_second_get_two_versions(model, destination, monkeypatch):
    monkeypatch.setattr(push_module.time, "time", lambda: 1000.0)
    assert [push(model, destination).name for _ in range(2)] == ["1000", "1001"]


def test_a_version_is_newer_than_one_from_a_clock_that_runs_ahead(model, destination):
    (destination / "99999999999").mkdir()
    assert push(model, destination).name == "100000000000"


def test_a_copy_that_fails_half_way_leaves_nothing(model, destination, monkeypatch):
    copy_file, copied = shutil.copyfile, []

    def fail_on_the_second_file(source, target, **options):
        if copied:
            raise OSError(28, "No space left on device")
        copied.append(copy_file(source, target, **options))

    monkeypatch.setattr(push_module.shutil, "copyfile", fail_on_the_second_file)
    with pytest.raises(OSError, match=r"cannot push to .*serving: .*No space left on device"):
        push(model, destination)
    assert copied
    assert list(destination.iterdir()) == []


def test_nothing_is_seen_while_the_copy_is_under_way(model, destination, monkeypatch):
    seen, copy_file = [], shutil.copyfile

    def copy_and_look(source, target, **options):
        copy_file(source, target, **options)
        seen.append(
            (served_versions.version_numbers(destination), served_versions.champion(destination))
        )

    monkeypatch.setattr(push_module.shutil, "copyfile", copy_and_look)
    push(model, destination)
    assert seen == [([], None)] * 2


def test_what_a_killed_push_left_is_ignored_and_later_removed(model, destination):
    left = destination / ".staging-killed"
    shutil.copytree(model, left / "model")
    assert served_versions.list_versions(destination) == []
    push(model, destination)
    assert left.exists()  # young: another push may be writing it
    os.utime(left, (0, 0))
    push(model, destination)
    assert not left.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(model, destination):
    (model / "variables" / "variables.data").write_bytes(b"w" * 200_000)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(destination)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(OSError, match=r"cannot push to .*serving: .*No space left") as error:
            push(model, destination)
        assert "\n" not in str(error.value)
        assert list(destination.iterdir()) == []
    finally:
        subprocess.run(["umount", str(destination)], check=True)
