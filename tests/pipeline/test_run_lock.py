"""One run at a time in a recipe's folder."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime

import filelock
import pytest

from pipeline.run_lock import BusyError, hold, is_held

HOLDER = """
import sys, time
from pathlib import Path
from pipeline.run_lock import hold
with hold(Path(sys.argv[1]), False, print):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def holder(tmp_path):
    """`holder(seconds)` starts a process that holds `tmp_path/"runs"`."""
    started = []

    def start(seconds: float) -> subprocess.Popen:
        command = [sys.executable, "-c", HOLDER, str(tmp_path / "runs"), str(seconds)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def never(holder: str) -> None:
    raise AssertionError(holder)


def test_who_comes_second_is_told_who_holds_it_and_since_when(tmp_path):
    with hold(tmp_path / "all" / "runs", False, never):
        file = tmp_path / "all" / "runs" / ".lock.json"
        said = json.loads(file.read_text())
        with pytest.raises(BusyError) as error, hold(file.parent, False, never):
            pass
        assert file.exists(), "what the holder said is left alone"
    text = str(error.value)
    assert f"process {os.getpid()} on {socket.gethostname()} since {said['since']}" in text
    assert "--wait" in text and "\n" not in text


def test_who_waits_gets_it_next_and_knows_that_it_waited(tmp_path, holder):
    process = holder(0.5)
    heard = []
    with hold(tmp_path / "runs", True, heard.append) as waited:
        assert waited and f"process {process.pid}" in heard[0]
        assert json.loads((tmp_path / "runs" / ".lock.json").read_text())["pid"] == os.getpid()


def test_a_killed_holder_holds_nothing(tmp_path, holder):
    process = holder(60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with hold(tmp_path / "runs", False, never) as waited:
        assert not waited
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) in ([], [".lock"])


def test_whether_a_folder_is_held_is_told_to_whoever_asks(tmp_path):
    assert not is_held(tmp_path)
    with hold(tmp_path, False, never):
        assert is_held(tmp_path) and is_held(tmp_path), "whoever asks takes nothing away"
    assert not is_held(tmp_path)
    with hold(tmp_path, False, never) as waited:
        assert not waited


def test_who_only_asks_whether_it_is_held_keeps_nobody_out(tmp_path, monkeypatch):
    asking = filelock.FileLock(tmp_path / ".lock")
    asking.acquire()
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: asking.release() or sleep(seconds))
    with hold(tmp_path, False, never) as waited:
        assert not waited


def test_whether_a_folder_is_held_is_not_known_where_nothing_can_be_locked(tmp_path):
    (tmp_path / "file").write_text("")
    assert not is_held(tmp_path / "file")


def test_folders_of_two_recipes_do_not_wait_for_each_other(tmp_path):
    with hold(tmp_path / "runs", False, never), hold(tmp_path / "others", False, never) as waited:
        assert not waited


def test_who_holds_it_says_since_when_with_the_zone_and_leaves_nothing(tmp_path):
    with hold(tmp_path / "runs", False, never):
        said = json.loads((tmp_path / "runs" / ".lock.json").read_text())
        assert datetime.fromisoformat(said["since"]).tzinfo
    assert not (tmp_path / "runs" / ".lock.json").exists()
    with hold(tmp_path / "runs", False, never) as waited:
        assert not waited, "it was given back"
        (tmp_path / "runs" / ".lock.json").unlink()  # by somebody who tidies up


def test_what_the_next_holder_says_is_left_alone(tmp_path, monkeypatch):
    class NextInLine(filelock.FileLock):
        """Given back, it is taken at once, by somebody who says so."""

        def release(self, force: bool = False) -> None:
            if self.is_locked:
                super().release(force)
                (tmp_path / ".lock.json").write_text("next")

    monkeypatch.setattr(filelock, "FileLock", NextInLine)
    with hold(tmp_path, False, never):
        pass
    assert (tmp_path / ".lock.json").read_text() == "next"


@pytest.mark.parametrize("said", ["{", "[]", '{"pid": 7}'])
def test_a_holder_that_cannot_be_read_is_another_process(tmp_path, said):
    with hold(tmp_path, False, never):
        (tmp_path / ".lock.json").write_text(said)
        with (
            pytest.raises(BusyError, match="is in use by a run of another process, and"),
            hold(tmp_path, False, never),
        ):
            pass
