"""How `graft run` and `graft lr-find` end, whatever happens in them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# The command with another work than TensorFlow's, in a process of its own as signals need it.
PROGRAM = """
import subprocess, sys, time
from pipeline import cli, preflight
from pipeline.commands import local_run, run
from pipeline.run_result import RunError
from components.errors import UserError

def work(console, found, display):
    print("words of TensorFlow", file=sys.stderr)
    what = sys.argv.pop()
    if what == "sleep":
        child = subprocess.Popen(["sleep", "60"])
        print(child.pid, file=open("child", "w"), flush=True)
        time.sleep(60)
    if what == "bug":
        raise KeyError("a key")
    if what == "mistake":
        raise UserError("training.device is wrong")
    try:
        raise {"node's bug": KeyError("k"), "node's mistake": UserError("no"),
               "full disk": OSError(28, "No space left on device")}[what]
    except Exception as error:
        raise RunError(f"Trainer: {error}") from error

run.run_locally = lambda recipe, title, _, **options: local_run.run_locally(
    recipe, title, work, **options
)
what = sys.argv.pop()
sys.argv += ["run", "--set", "data.source=pictures"]
real_work = work
def work(*args):
    sys.argv.append(what)
    return real_work(*args)
cli.main()
"""


@pytest.fixture
def start(tmp_path, write_pictures):
    """`start(what)` runs the command where `pictures` is a folder of pictures."""
    write_pictures(tmp_path / "pictures", per_class=1)

    started = []

    def start(what: str) -> subprocess.Popen:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, what],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                # These tests may run where it is ignored, as behind `nohup`.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait to be collected."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "code", "says"),
    [
        ("bug", 70, "✗ KeyError: 'a key'"),
        ("node's bug", 70, "✗ Trainer: 'k'"),
        ("node's mistake", 1, "✗ Trainer: no"),
        ("full disk", 1, "✗ Trainer: [Errno 28] No space left on device"),
    ],
)
def test_what_fails_in_a_run_is_a_line_and_the_log_has_the_rest(what, code, says, start, tmp_path):
    process = start(what)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    assert err == "" and says in out and "Traceback" not in out
    assert ("please report it" in out) == (code == 70)
    (log,) = (tmp_path / "runs" / "digits" / "logs").iterdir()
    assert str(log.relative_to(tmp_path)) in out.splitlines()[-1]
    text = log.read_text()
    assert "Traceback" in text and "words of TensorFlow" in text


@pytest.mark.slow
def test_a_mistake_found_by_tensorflow_is_told_as_any_other(start):
    process = start("mistake")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err == "graft: training.device is wrong\n"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_children_and_says_how_to_go_on(number, code, start, tmp_path):
    process = start("sleep")
    child_file = tmp_path / "child"
    deadline = time.monotonic() + 60
    while not (child_file.exists() and child_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int(child_file.read_text())
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "The same command goes on from here" in out
    assert err == "" and "Tensor" not in out.replace("Starting TensorFlow and TFX", "")
    assert not is_alive(child)
    assert not (tmp_path / "runs" / "digits" / ".lock.json").exists()
