"""Signals, and the processes that are ended with this one."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import processes

PROGRAM = """
import sys, time
from pipeline.processes import stop_all_the_same, stop_on_signals
stop_on_signals()
stop_all_the_same()
try:
    print("ready", flush=True)
    try:
        time.sleep(60)
    except BaseException:  # as a library does
        stop_all_the_same()
except BaseException as error:
    print(type(error).__name__, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def start():
    started = []

    def start(on_interrupt=signal.SIG_DFL) -> subprocess.Popen:
        # Said, because these tests may run where it is ignored, as behind `nohup`.
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM],
                stdout=subprocess.PIPE,
                text=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, on_interrupt),
            )
        )
        assert started[-1].stdout.readline() == "ready\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize(
    ("number", "raised"),
    [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "SystemExit")],
)
def test_a_signal_unwinds_and_a_second_one_ends_at_once(number, raised, start):
    process = start()
    process.send_signal(number)
    assert process.stdout.readline() == f"{raised}\n"
    process.send_signal(number)
    assert process.wait(10) == 128 + number


def test_where_ctrl_c_is_ignored_it_stays_so(start):
    process = start(on_interrupt=signal.SIG_IGN)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "SystemExit\n"


STUBBORN = """
import subprocess
from pipeline.processes import end_children
script = "trap '' TERM; sleep 60 & echo $!; while :; do sleep 0.1; done"
shell = subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True)
print(shell.stdout.readline())
end_children()
print(shell.wait(5))
"""


@pytest.mark.slow
def test_children_and_theirs_end_also_those_that_will_not():
    command = [sys.executable, "-c", STUBBORN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    grandchild, code = done.stdout.split()
    assert int(code) == -signal.SIGKILL, done.stderr
    status = Path(f"/proc/{grandchild}/stat")
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def below(monkeypatch):
    """Children of this process, theirs and a stranger; `ends` those that end when asked to.

    One in `slowly` has ended when somebody has slept.
    """
    running = {21: os.getpid(), 22: os.getpid(), 31: 21, 99: 1}
    below = SimpleNamespace(sent=[], ends=set(), slowly=set(), running=running)

    def kill(pid, number):
        below.sent.append((pid, number))
        if pid in below.ends:
            running.pop(pid)

    def sleep(_):
        below.clock += 1
        for pid in below.slowly & running.keys():
            running.pop(pid)

    below.clock = 0
    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(processes, "_running", lambda: dict(running))
    clock = SimpleNamespace(sleep=sleep, monotonic=lambda: below.clock)
    monkeypatch.setattr(processes, "time", clock)
    return below


def test_whoever_is_below_is_asked_first_and_made_to_after_three_seconds(below):
    below.ends, below.slowly = {22}, {31}
    processes.end_children()
    asked, forced = below.sent[:3], below.sent[3:]
    assert sorted(asked) == [(pid, signal.SIGTERM) for pid in (21, 22, 31)]
    assert forced == [(21, signal.SIGKILL)] and below.clock == 3


def test_nobody_is_waited_for_who_has_ended(below):
    below.ends = {21, 22, 31}
    processes.end_children()
    assert below.clock == 0 and signal.SIGKILL not in dict(below.sent).values()


def test_of_processes_the_parents_are_read_whatever_they_call_themselves(tmp_path, monkeypatch):
    stats = {
        "7": b"7 (a) b\xff) S 3 7 7",
        "8": b"8 (gone) Z 3 8",
        "self": b"7 (x) S 9 7",
        "9": None,
    }
    for name, stat in stats.items():
        (tmp_path / name).mkdir()
        if stat:
            (tmp_path / name / "stat").write_bytes(stat)
    (tmp_path / "9" / "stat").mkdir()  # cannot be read: it ended just now
    monkeypatch.setattr(processes, "Path", lambda _: tmp_path)
    assert processes._running() == {7: 3}


def test_a_process_that_has_ended_keeps_no_other_from_its_signal(monkeypatch):
    gone, sent = {2, 4}, []

    def kill(pid, number):
        if pid in gone:
            raise ProcessLookupError
        sent.append((pid, number))

    monkeypatch.setattr(os, "kill", kill)
    processes._send(signal.SIGTERM, {1, 2, 3, 4, 5})
    assert sorted(sent) == [(pid, signal.SIGTERM) for pid in (1, 3, 5)]


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_after_the_first_signal_neither_unwinds_the_program_again(number, raised, monkeypatch):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    both = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(each, processes._stop) for each in both]
    try:
        with pytest.raises(raised) as stopped:
            processes._stop(number, None)
        assert stopped.value.args == (() if number == signal.SIGINT else (143,))
        assert processes._stop not in map(signal.getsignal, both)
        for each in both:
            signal.getsignal(each)(each, None)
    finally:
        for each, handler in zip(both, before, strict=True):
            signal.signal(each, handler)
    assert ended == [130, 143]
