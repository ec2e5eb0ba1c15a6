"""A push is seen whole or not at all, and only where nothing has changed since the comparison."""

import concurrent.futures
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import filelock
import pytest

from components import served_versions
from components.pusher import push as push_module
from components.pusher import staging
from components.pusher.push import StaleComparisonError, push
from components.served_versions import ServedState, served_state

NOTHING = ServedState("", 0)


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


def left(destination) -> set[str]:
    """Names of what lies in the destination, but for the evidence."""
    return {path.name for path in destination.iterdir()} - {"evidence"}


def test_a_version_is_a_readable_copy_with_the_next_number(model, destination):
    version = push(model, destination, NOTHING)
    assert version == destination / "1"
    assert served_versions.content_digest(version) == served_versions.content_digest(model)
    assert version.stat().st_mode & 0o777 == model.stat().st_mode & 0o777
    assert push(model, destination, ServedState("1", 1)).name == "2"
    assert left(destination) == {"1", "2"}
    assert served_state(destination) == ServedState("2", 2)


def test_the_time_of_the_push_and_the_files_are_noted_beside_the_versions(model, destination):
    version = push(model, destination, NOTHING)
    record = served_versions.read_push_record(destination, "1")
    assert timedelta(0) <= datetime.now(timezone.utc) - record.pushed_at < timedelta(minutes=1)
    assert record.sizes == {"saved_model.pb": 5, "variables/variables.data": 1000}
    assert record.digest == served_versions.content_digest(version)
    assert {path.name for path in version.iterdir()} == {"saved_model.pb", "variables"}
    (listed,) = served_versions.list_versions(destination)
    assert listed.pushed_at == record.pushed_at


@pytest.fixture
def evidence(tmp_path):
    folder = tmp_path / "blessing" / "evidence"
    (folder / "statistics").mkdir(parents=True)
    (folder / "pictures.parquet").write_bytes(b"rows")
    (folder / "statistics" / "stats.pb").write_bytes(b"stats")
    return folder


def test_what_gates_left_lies_beside_the_record_of_the_push(model, destination, evidence, tmp_path):
    push(model, destination, NOTHING, [evidence, tmp_path / "nothing was left"])
    kept = served_versions.evidence_folder(destination, "1")
    assert (kept / "pictures.parquet").read_bytes() == b"rows"
    assert (kept / "statistics" / "stats.pb").read_bytes() == b"stats"
    assert served_versions.read_push_record(destination, "1").sizes.keys() == {
        "saved_model.pb",
        "variables/variables.data",
    }


def test_evidence_that_cannot_be_copied_leaves_nothing(model, destination, evidence, monkeypatch):
    copy_file = shutil.copyfile

    def fail_on_statistics(source, target, **options):
        if str(target).endswith("stats.pb"):
            raise OSError(28, "No space left on device")
        copy_file(source, target, **options)

    monkeypatch.setattr(push_module.shutil, "copyfile", fail_on_statistics)
    with pytest.raises(OSError, match=r"cannot push to .*serving: .*No space left on device"):
        push(model, destination, NOTHING, [evidence])
    assert left(destination) == set() and served_state(destination) == NOTHING
    assert {path.name for path in (destination / "evidence").iterdir()} <= {"push.lock"}


def test_numbers_go_on_after_a_timestamp_of_earlier_releases(model, destination):
    shutil.copytree(model, destination / "1780000000")
    assert push(model, destination, served_state(destination)).name == "1780000001"


def test_the_number_of_a_version_that_was_removed_is_not_given_again(model, destination):
    shutil.rmtree(push(model, destination, NOTHING))
    assert served_state(destination) == ServedState("", 1)
    assert push(model, destination, ServedState("", 1)).name == "2"


def test_after_the_highest_number_there_is_none(model, destination):
    shutil.copytree(model, destination / str(2**63 - 1))
    with pytest.raises(ValueError, match=r"9223372036854775807 has the highest number.*rename"):
        push(model, destination, served_state(destination))


@pytest.mark.parametrize("compared", [NOTHING, ServedState("1", 1), ServedState("2", 3)])
def test_a_model_that_was_compared_with_something_else_is_not_pushed(model, destination, compared):
    for name in ("1", "2"):
        shutil.copytree(model, destination / name)
    before = left(destination)
    with pytest.raises(StaleComparisonError, match=r"not pushed: .*now version 2.*run again"):
        push(model, destination, compared)
    assert left(destination) == before


def test_of_two_pushes_with_one_number_the_second_fails_without_any_lock(
    model, destination, monkeypatch
):
    """The first is finished between the second's last look and its rename."""
    rename = Path.rename

    def rename_second(path, target):
        if target == destination / "1" and not target.exists():
            shutil.copytree(model, target)
            (target / "saved_model.pb").write_bytes(b"first")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_second)
    with pytest.raises(StaleComparisonError, match=r"then no version, now version 1"):
        push(model, destination, NOTHING)
    assert (destination / "1" / "saved_model.pb").read_bytes() == b"first"
    assert left(destination) == {"1"}
    assert {path.name for path in (destination / "evidence").iterdir()} == {"push.lock"}


def test_a_version_that_is_not_the_highest_after_its_push_is_withdrawn(
    model, destination, monkeypatch
):
    rename = Path.rename

    def rename_and_be_overtaken(path, target):
        if target == destination / "1":
            shutil.copytree(model, destination / "5")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_and_be_overtaken)
    with pytest.raises(StaleComparisonError, match="now version 5"):
        push(model, destination, NOTHING)
    assert left(destination) == {"5"}
    assert {path.name for path in (destination / "evidence").iterdir()} == {"push.lock"}


def test_what_is_removed_while_the_copy_is_made_ready_is_noticed(model, destination, monkeypatch):
    push(model, destination, NOTHING)
    monkeypatch.setattr(push_module, "sync", lambda folder: shutil.rmtree(destination / "1"))
    with pytest.raises(StaleComparisonError, match="then version 1, now no version"):
        push(model, destination, ServedState("1", 1))
    assert left(destination) == set()


def test_after_the_newest_was_removed_its_number_is_not_given_again(model, destination):
    for compared in (NOTHING, ServedState("1", 1)):
        push(model, destination, compared)
    shutil.rmtree(destination / "2")
    with pytest.raises(StaleComparisonError, match=r"then version 2, now version 1 \(highest: 2\)"):
        push(model, destination, ServedState("2", 2))
    assert push(model, destination, ServedState("1", 2)).name == "3"


def test_a_push_killed_between_evidence_and_version_costs_a_number_alone(
    model, destination, monkeypatch
):
    rename = Path.rename

    def die_before_the_version(path, target):
        if path.name == "model":
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", die_before_the_version)
        push(model, destination, NOTHING)
    state = served_state(destination)
    assert state == ServedState("", 1) and left(destination) == set()
    assert push(model, destination, state).name == "2"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(28, "No space left on device", "/a/file", None, "/b"), "No space left on device"),
        (
            shutil.Error([("/a/1", "/b/1", "the first"), ("/a/2", "/b/2", "the second")]),
            "the first",
        ),
        (OSError("in other words"), "in other words"),
    ],
)
def test_why_nothing_was_pushed_is_told_without_the_names_of_passing_files(
    destination, error, says
):
    with pytest.raises(OSError) as told, staging.staging_folder(destination):
        raise error
    assert str(told.value) == f"cannot push to {destination}: {says}"


def test_a_copy_that_fails_half_way_leaves_nothing(model, destination, monkeypatch):
    copy_file, copied = shutil.copyfile, []

    def fail_on_the_second_file(source, target, **options):
        if copied:
            raise OSError(28, "No space left on device")
        copied.append(copy_file(source, target, **options))

    monkeypatch.setattr(push_module.shutil, "copyfile", fail_on_the_second_file)
    with pytest.raises(OSError, match=r"cannot push to .*serving: .*No space left on device"):
        push(model, destination, NOTHING)
    assert copied
    assert left(destination) == set() and served_state(destination) == NOTHING


def test_nothing_is_seen_while_the_copy_is_under_way(model, destination, monkeypatch):
    seen, copy_file = [], shutil.copyfile

    def copy_and_look(source, target, **options):
        copy_file(source, target, **options)
        seen.append(served_state(destination))

    monkeypatch.setattr(push_module.shutil, "copyfile", copy_and_look)
    push(model, destination, NOTHING)
    assert seen == [NOTHING] * 2


def test_every_file_is_on_the_disk_before_it_is_shown(model, destination, evidence, monkeypatch):
    synced, fsync = set(), os.fsync

    def note(descriptor):
        synced.add(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        assert left(destination).isdisjoint({"1"})
        fsync(descriptor)

    monkeypatch.setattr(staging.os, "fsync", note)
    push(model, destination, NOTHING, [evidence])
    files = [*(destination / "1").rglob("*"), *(destination / "evidence" / "1").rglob("*")]
    assert {path.name for path in files if path.is_file()} <= synced


def test_what_a_killed_push_left_is_ignored_and_removed_by_the_next(model, destination):
    killed = destination / ".staging-killed"
    shutil.copytree(model, killed / "model")
    assert served_versions.list_versions(destination) == []
    push(model, destination, NOTHING)
    assert left(destination) == {"1"}


def test_a_push_waits_for_another_and_says_so_if_that_does_not_end(model, destination, monkeypatch):
    monkeypatch.setattr(staging, "_LOCK_TIMEOUT_SECONDS", 0.1)
    (destination / "evidence").mkdir()
    with (
        filelock.FileLock(destination / "evidence" / "push.lock"),
        pytest.raises(ValueError, match=r"another push to .*serving has not ended in 0\.1 s"),
    ):
        push(model, destination, NOTHING)
    assert push(model, destination, NOTHING).name == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(model, destination):
    (model / "variables" / "variables.data").write_bytes(b"w" * 200_000)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(destination)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(OSError, match=r"cannot push to .*serving: .*No space left") as error:
            push(model, destination, NOTHING)
        assert "\n" not in str(error.value)
        assert left(destination) == set()
    finally:
        subprocess.run(["umount", str(destination)], check=True)


# Compares with what is served, takes a moment for it as an evaluation does, and pushes; a stale
# comparison is made again. Each push is told on a line: its number, and what it was compared with.
PUSHER = """
import random, sys, time
from pathlib import Path
from components.pusher.push import StaleComparisonError, push
from components.served_versions import served_state
model, destination, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
stale = 0
print("ready", flush=True)
sys.stdin.readline()
while count:
    compared = served_state(destination)
    time.sleep(random.uniform(0, 0.02))
    try:
        version = push(model, destination, compared)
    except StaleComparisonError:
        stale += 1
        continue
    count -= 1
    print(version.name, compared.champion or "-", flush=True)
print("stale", stale, flush=True)
"""


@pytest.mark.slow
def test_two_processes_that_push_20_times_each_lose_nothing_and_replace_only_what_they_compared(
    tmp_path, destination
):
    processes = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "saved_model.pb").write_text(name)
        command = [sys.executable, "-c", PUSHER, str(folder), str(destination), "20"]
        pipe = subprocess.PIPE
        processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    numbers, replaced, stale = {}, {}, 0
    for name, process in zip(("first", "second"), processes, strict=True):
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        *pushes, end = output.splitlines()
        stale += int(end.split()[1])
        numbers[name] = [int(line.split()[0]) for line in pushes]
        replaced.update((int(line.split()[0]), line.split()[1]) for line in pushes)
    assert all(own == sorted(set(own)) and len(own) == 20 for own in numbers.values())
    assert served_versions.version_numbers(destination) == list(range(1, 41)), "none is lost"
    assert sorted(numbers["first"] + numbers["second"]) == list(range(1, 41))
    expected = {number: str(number - 1) if number > 1 else "-" for number in range(1, 41)}
    assert replaced == expected, "each replaced the very version it was compared with"
    for name, own in numbers.items():
        assert {(destination / str(n) / "saved_model.pb").read_text() for n in own} == {name}
    assert stale > 0, "they never met: the test shows nothing"
    assert not list(destination.glob(".staging-*"))


@pytest.mark.slow
def test_the_staging_folder_of_a_push_under_way_is_left_to_it(model, destination, tmp_path):
    """A second push waits instead of taking the first one's staging folder for a dead one's."""
    slow = (
        "import shutil, sys\n"
        "from pathlib import Path\n"
        "from components.pusher import push\n"
        "from components.served_versions import ServedState\n"
        "copy = shutil.copytree\n"
        "def copytree(*args):\n"
        "    copy(*args); print('copied', flush=True); sys.stdin.readline()\n"
        "push.shutil.copytree = copytree\n"
        "push.push(Path(sys.argv[1]), Path(sys.argv[2]), ServedState('', 0))\n"
    )
    command = [sys.executable, "-c", slow, str(model), str(destination)]
    pipe = subprocess.PIPE
    with (
        concurrent.futures.ThreadPoolExecutor() as threads,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as first,
    ):
        assert first.stdout.readline() == "copied\n"
        second = threads.submit(push, model, destination, NOTHING)
        with pytest.raises(concurrent.futures.TimeoutError):
            second.result(timeout=0.3)
        first.communicate("\n")
        assert first.returncode == 0
        with pytest.raises(StaleComparisonError):
            second.result()
    assert left(destination) == {"1"}
