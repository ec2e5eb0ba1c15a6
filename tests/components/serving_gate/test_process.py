"""The client's process, and what its death means."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import components
from components.serving_gate import process as serving_process
from components.serving_gate.config import ServingGateSettings
from components.serving_gate.process import Request, ask, begun_early

ANSWER = """
import json, sys
request = json.loads(sys.stdin.readline())
open(request["answers"], "a").write('{"name": "load", "verdict": "pass", "value": 1, "bound": 2, "message": "ok"}\\n')
"""  # noqa: E501


REQUEST = Request("m", "e", "o", ServingGateSettings())


def ask_script(script: str, *options: str, **settings):
    command = (sys.executable, *options, "-c", script)
    return ask(dataclasses.replace(REQUEST, settings=ServingGateSettings(**settings)), command)


def test_answers_are_read_and_the_process_is_the_last_of_them():
    checks = ask_script(ANSWER)
    assert [(check.name, check.verdict) for check in checks] == [
        ("load", "pass"),
        ("process", "pass"),
    ]


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("import os; os.abort()", "ended with code -6: no message"),
        ("raise RuntimeError('out of memory')", "ended with code 1: RuntimeError: out of memory"),
        (
            r"import os; os.write(2, b'\xff no text'); os._exit(3)",
            "ended with code 3: \ufffd no text",
        ),
        (
            """open(request["answers"], "a").write('{"name": "ba'); raise OSError('full')""",
            "ended with code 1: OSError: full",
        ),
    ],
)
def test_a_crash_is_a_failed_check_and_earlier_answers_are_kept(end, message):
    load, process = ask_script(ANSWER + end)
    assert load.verdict == "pass"
    assert process.verdict == "fail"
    assert process.message == message
    assert f"code {process.value}:" in message and process.bound == 0


@pytest.mark.slow
def test_a_process_that_hangs_is_ended_and_fails():
    before = children(os.getpid())
    # Without the packages it begins at once, on a busy machine too.
    script = ANSWER + "import time; time.sleep(60)"
    load, process = ask_script(script, "-I", "-S", timeout_seconds=1)
    assert children(os.getpid()) == before, "nothing of it is left"
    assert load.verdict == "pass"
    assert process.verdict == "fail"
    assert process.message == "not done after 1 s, ended"
    assert process.value == process.bound == 1


NOTING = """
import pathlib, sys
sys.stdin.readline()
pathlib.Path(sys.argv[1], "begun").touch()
sys.stdin.read()
pathlib.Path(sys.argv[1], "quiet").touch()
"""


@pytest.fixture
def noting(monkeypatch, tmp_path):
    """The client leaves `begun` and `quiet` in the folder that this gives."""
    command = (sys.executable, "-I", "-S", "-c", NOTING, str(tmp_path))
    monkeypatch.setattr(serving_process, "_CLIENT", command)
    return tmp_path


def test_what_was_begun_early_goes_on_to_what_needs_quiet_when_it_is_asked(noting):
    before = children(os.getpid())
    with begun_early(REQUEST):
        assert until((noting / "begun").exists)
        assert not until((noting / "quiet").exists, seconds=0.2)
        equal = dataclasses.replace(REQUEST, settings=ServingGateSettings())
        assert [check.verdict for check in ask(equal)] == ["pass"]
        assert (noting / "quiet").exists() and children(os.getpid()) == before
        # The next one is a process of its own again.
        assert [check.verdict for check in ask_script("raise RuntimeError")] == ["fail"]


def test_what_was_begun_early_answers_no_other_request(noting):
    with begun_early(REQUEST):
        assert [check.verdict for check in ask_script("pass", samples=3)] == ["pass"]
        assert not (noting / "quiet").exists()


@pytest.mark.parametrize("failing", [False, True])
def test_a_process_that_nobody_asks_ends_with_the_block(noting, failing):
    before = children(os.getpid())
    fails = pytest.raises(RuntimeError, match="the run failed")
    with fails if failing else contextlib.nullcontext(), begun_early(REQUEST):
        (pid,) = set(children(os.getpid())) - set(before)
        assert not ended(pid)
        if failing:
            raise RuntimeError("the run failed")
    assert ended(pid) and not serving_process._early
    assert not (noting / "quiet").exists()


def test_what_cannot_begin_early_fails_whoever_asks_and_nobody_before(monkeypatch, tmp_path):
    missing = (str(tmp_path / "python"),)
    monkeypatch.setattr(serving_process, "_CLIENT", missing)
    with begun_early(REQUEST), pytest.raises(FileNotFoundError):
        ask(REQUEST, missing)


def test_a_process_that_died_before_it_was_asked_is_told_of(monkeypatch):
    monkeypatch.setattr(serving_process, "_CLIENT", (sys.executable, "-c", "raise SystemExit(4)"))
    before = children(os.getpid())
    with begun_early(REQUEST):
        (pid,) = set(children(os.getpid())) - set(before)
        assert until(lambda: ended(pid))
        assert [check.message for check in ask(REQUEST)] == ["ended with code 4: no message"]


def test_a_process_that_takes_no_hint_to_end_is_ended(monkeypatch, tmp_path):
    script = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pathlib.Path({str(tmp_path / 'deaf')!r}).touch(); time.sleep(20)"
    )
    monkeypatch.setattr(serving_process, "_CLIENT", (sys.executable, "-I", "-S", "-c", script))
    with begun_early(REQUEST):
        process = serving_process._early[REQUEST]._process
        assert until((tmp_path / "deaf").exists)
    assert process.returncode == -signal.SIGKILL


def test_the_process_sees_no_gpu_and_finds_the_code(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    script = "import os, components.gates; assert os.environ['CUDA_VISIBLE_DEVICES'] == '-1'"
    assert [check.message for check in ask_script(script) if check.verdict != "pass"] == []


@pytest.mark.parametrize("theirs", [[], ["/a", "/b"]])
def test_the_process_looks_for_code_where_its_parent_does(theirs, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(theirs))
    # An empty entry would be the folder that it happens to be in.
    wanted = [str(Path(components.__file__).parents[1]), *theirs]
    script = f"import os; assert os.environ['PYTHONPATH'].split(os.pathsep) == {wanted}"
    assert [check.message for check in ask_script(script) if check.verdict != "pass"] == []


ASKER = """
from components.serving_gate.config import ServingGateSettings
from components.serving_gate.process import Request, ask
ask(Request("model", "examples", "originals", ServingGateSettings()))
"""


def children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def until(condition, seconds: float = 10):
    """Waits for something to become true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def ended(pid: int) -> bool:
    """Also an orphan that nobody collects, as in a container whose first process is no init."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


@pytest.mark.slow
def test_the_client_dies_with_a_killed_asker():
    """It would import TensorFlow for seconds, and then ask a model for minutes."""
    with subprocess.Popen([sys.executable, "-c", ASKER]) as asker:
        (client,) = until(lambda: children(asker.pid))
        until(lambda: b"components.serving_gate" in Path(f"/proc/{client}/cmdline").read_bytes())
        time.sleep(0.5)
        asker.kill()
    assert until(lambda: ended(client), seconds=5)


SLEEPER = """
import sys, time
from components.serving_gate.lifetime import end_with_parent
end_with_parent(int(sys.argv[1]))
print("alive", flush=True)
time.sleep(60)
"""


def test_who_finds_another_parent_ends_at_once():
    done = subprocess.run(
        [sys.executable, "-c", SLEEPER, str(os.getpid() + 1)], capture_output=True, text=True
    )
    assert done.returncode == 1 and "the process that asked is gone" in done.stderr


def test_who_has_its_parent_goes_on():
    command = [sys.executable, "-c", SLEEPER, str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "alive\n"
        process.kill()
