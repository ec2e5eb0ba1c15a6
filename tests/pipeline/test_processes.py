"""Signals, and the processes that are ended with this one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import processes

PROGRAM = """
import sys, time
from pipeline.processes import stop_on_signals
stop_on_signals()
try:
    print("ready", flush=True)
    time.sleep(60)
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
        with pytest.raises(raised):
            processes._stop(number, None)
        assert processes._stop not in map(signal.getsignal, both)
        for each in both:
            signal.getsignal(each)(each, None)
    finally:
        for each, handler in zip(both, before, strict=True):
            signal.signal(each, handler)
    assert ended == [130, 143]
