"""How `graft run` and whatever else runs nodes ends, whatever happens in it."""

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.errors import UserError
from pipeline.commands import local_run
from pipeline.config import load_recipe
from pipeline.preflight import Scope
from pipeline.run_result import RunError

# The command with another work than TensorFlow's, in a process of its own as signals need it.
PROGRAM = """
import subprocess, sys, time
from pipeline import cli
from pipeline.commands import local_run, run

def work(console, found, display):
    print("words of TensorFlow", file=sys.stderr)
    child = subprocess.Popen(["sleep", "60"])
    print(child.pid, file=open("child", "w"), flush=True)
    time.sleep(60)

run.run_locally = lambda recipe, title, _, **options: local_run.run_locally(
    recipe, title, work, **options
)
sys.argv += ["run", "--set", "data.source=pictures"]
cli.main()
"""


@pytest.fixture
def start(tmp_path, write_pictures):
    """`start()` runs the command where `pictures` is a folder of pictures."""
    write_pictures(tmp_path / "pictures", per_class=3)

    started = []

    def start() -> subprocess.Popen:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM],
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


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """`run(work)` has that done; gives the exit code, and what was written to the terminal."""
    looks = iter(["what is there", "what has come since"])
    monkeypatch.setattr(local_run.preflight, "inspect", lambda *_: next(looks))
    recipe = load_recipe("digits", [f"workspace={tmp_path}"])

    def run(work, verbose=False, wait=False):
        code = local_run.run_locally(recipe, "a title", work, verbose=verbose, wait=wait)
        return code, *capfd.readouterr()

    return run


def in_a_node(cause: Exception) -> RunError:
    error = RunError(f"Trainer: {cause}")
    error.__cause__ = cause
    return error


def failing(error: Exception):
    """Work that comes to nothing."""

    def work(console, found, display):
        print("words of TensorFlow", file=sys.stderr)
        raise error

    return work


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyError("a key"), 70, "✗ KeyError: 'a key'"),
        (in_a_node(KeyError("k")), 70, "✗ Trainer: 'k'"),
        (in_a_node(UserError("no")), 1, "✗ Trainer: no"),
        (
            in_a_node(OSError(28, "No space left on device")),
            1,
            "✗ Trainer: [Errno 28] No space left on device",
        ),
    ],
    ids=["bug", "bug of a node", "mistake", "full disk"],
)
def test_what_fails_in_a_run_is_a_line_and_the_log_has_the_rest(
    run, error, code, says, verbose, tmp_path
):
    found, out, text = run(failing(error), verbose)
    assert found == code and f"\n{says}\n" in out and "Traceback" not in out
    assert ("please report it, with the log" in out) == (code == 70)
    if verbose:
        assert ("with the log above" in out) == (code == 70) and "Log: " not in out
        assert not (tmp_path / "digits" / "logs").exists()
    else:
        assert text == "", "nothing is said beside it"
        (log,) = (tmp_path / "digits" / "logs").iterdir()
        assert str(log) in out.splitlines()[-1]
        text = log.read_text()
    assert "Traceback" in text and "words of TensorFlow" in text


def test_a_mistake_found_by_tensorflow_is_told_as_any_other(run):
    with pytest.raises(UserError, match=r"^training\.device is wrong$"):
        run(failing(UserError("training.device is wrong")))


@pytest.mark.parametrize("wait", [False, True])
def test_after_another_run_has_ended_the_data_are_looked_at_again(run, monkeypatch, tmp_path, wait):
    @contextlib.contextmanager
    def hold(folder, may_wait, on_wait):
        assert folder == tmp_path / "digits"
        if may_wait:
            on_wait("runs/digits is in use")
        yield may_wait

    monkeypatch.setattr(local_run.run_lock, "hold", hold)
    found = []
    code, out, _ = run(lambda console, given, display: found.append(given) or 5, wait=wait)
    assert (code, found) == (5, ["what has come since" if wait else "what is there"])
    assert out.startswith("runs/digits is in use; waiting for its end\n") == wait
    assert "a title\n" in out


@pytest.mark.parametrize("scratch", [None, Path("scratch")])
def test_a_look_at_the_data_announces_a_download_and_is_quiet_itself(monkeypatch, capfd, scratch):
    recipe, asked = load_recipe("digits", []), []

    def look(*given):
        print("words of TensorFlow", file=sys.stderr)
        asked.append(given)
        return "what is there"

    monkeypatch.setattr(local_run.preflight, "announce_download", lambda data: print("A download"))
    monkeypatch.setattr(local_run.preflight, "inspect", look)
    assert local_run.inspect(recipe, scratch) == "what is there"
    assert asked == [(recipe, Scope.MACHINE, scratch)]
    assert capfd.readouterr() == ("A download\n", "")


def child_in(folder: Path) -> int:
    """Process id of what the program has started, once it has."""
    file = folder / "child"
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return int(file.read_text())


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_children_and_says_how_to_go_on(number, code, start, tmp_path):
    process = start()
    child = child_in(tmp_path)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "The same command goes on from here" in out
    assert err == "" and "Tensor" not in out.replace("Starting TensorFlow and TFX", "")
    assert not is_alive(child)
    assert not (tmp_path / "runs" / "digits" / ".lock.json").exists()


@pytest.mark.slow
def test_ctrl_c_that_ends_what_reads_the_output_too_ends_the_children(start, tmp_path):
    process = start()
    child = child_in(tmp_path)
    process.stdout.close()  # as of `graft run | tee log`
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "") and not is_alive(child)
