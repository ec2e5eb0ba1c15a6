"""Whose the state of a training is, when it is found again, and when it goes."""

import errno
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import filelock
import pytest

from components import progress
from components.trainer.fitting import resume
from components.trainer.fitting.resume import discard_published, mark_exported, resumable_state


def arguments(folder, **changes):
    return SimpleNamespace(
        **{
            "custom_config": {"settings": "{}"},
            "transform_output": "transform",
            "train_files": ["a"],
            "model_run_dir": str(folder / "7"),
            **changes,
        }
    )


def leave(fn_args, exported=False):
    """A training that ends; the state that it leaves."""
    with resumable_state(fn_args) as state:
        (state / "frozen.npz").touch()
        if exported:
            mark_exported(state, fn_args.model_run_dir)
    return state


def test_the_next_training_of_the_same_kind_finds_it(tmp_path):
    config = {"settings": "{}", "weights": "digest"}
    state = leave(arguments(tmp_path, custom_config=config))
    in_another_order = dict(reversed(config.items()))
    later = arguments(tmp_path, model_run_dir=str(tmp_path / "8"), custom_config=in_another_order)
    with resumable_state(later) as again:
        assert again == state and (state / "frozen.npz").exists()


def test_a_folder_on_a_volume_outlives_that_of_the_artifacts(tmp_path, monkeypatch):
    volume = tmp_path / "volume" / "digits"
    monkeypatch.setenv(resume.FOLDER_VARIABLE, str(volume))
    first, second = (arguments(tmp_path / pod) for pod in ("pod1", "pod2"))
    state = leave(first)
    assert state.parent == volume and not (tmp_path / "pod1").exists()
    assert leave(second, exported=True) == state, "a retry goes on"
    discard_published(second.model_run_dir)
    assert not state.exists()


def test_an_empty_folder_on_a_volume_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv(resume.FOLDER_VARIABLE, "")
    assert leave(arguments(tmp_path)).parent == tmp_path


@pytest.mark.parametrize(
    "change",
    [
        {"custom_config": {"settings": '{"seed": 1}'}},
        {"transform_output": "another"},
        {"train_files": ["a", "b"]},
    ],
)
def test_a_training_of_another_kind_begins_anew_and_removes_what_ended_trainings_left(
    change, tmp_path
):
    state = leave(arguments(tmp_path))
    with resumable_state(arguments(tmp_path, **change)) as other:
        assert other != state and not (other / "frozen.npz").exists()
        assert not state.exists()


def test_a_training_in_another_precision_begins_anew(tmp_path):
    state = leave(arguments(tmp_path))
    with resumable_state(arguments(tmp_path), "bf16") as other:
        assert other != state


def test_an_error_keeps_the_state_and_lets_go_of_it(tmp_path):
    with pytest.raises(OSError), resumable_state(arguments(tmp_path)) as state:
        raise OSError("the disk is full")
    with filelock.FileLock(state / "lock").acquire(timeout=0):
        assert state.is_dir()


def test_the_state_of_a_training_that_runs_is_left_alone(tmp_path):
    with (
        resumable_state(arguments(tmp_path)) as state,
        resumable_state(arguments(tmp_path, train_files=["b"])) as other,
    ):
        assert state.is_dir() and other.is_dir()
        mark_exported(state, "7")
        discard_published("7")
        assert state.is_dir()


def test_the_same_training_waits_for_the_one_that_runs(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(resume, "_POLL_S", 0.01)
    waiting, order, told = threading.Event(), [], []

    def second():
        with resumable_state(arguments(tmp_path)):
            order.append("second")

    def tell(step):
        told.append(step.done)
        waiting.set()

    with progress.watched_by(tell):
        with resumable_state(arguments(tmp_path)):
            thread = threading.Thread(target=second)
            thread.start()
            assert waiting.wait(10)
            order.append("first")
        thread.join(10)
    assert order == ["first", "second"] and told == list(range(1, len(told) + 1))
    assert caplog.text.count("Another process trains from") == 1, "however long it waits"


HOLD = """
import sys, time, types
from components.trainer.fitting.resume import resumable_state
with resumable_state(types.SimpleNamespace(**eval(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_what_a_killed_process_held_is_free(tmp_path):
    fn_args = arguments(tmp_path)
    command = [sys.executable, "-c", HOLD, repr(vars(fn_args))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        (state,) = tmp_path.glob(".state-*")
        other = arguments(tmp_path, train_files=["b"])
        leave(other)
        assert state.is_dir(), "its owner lives"
        os.kill(process.pid, signal.SIGKILL)
    leave(other)
    assert not state.exists()


def test_the_state_goes_when_its_artifact_has_been_published(tmp_path):
    fn_args = arguments(tmp_path)
    state = leave(fn_args, exported=True)
    discard_published(str(tmp_path / "6"))
    assert state.exists(), "another run was published"
    discard_published(fn_args.model_run_dir)
    assert not state.exists()


def test_a_published_state_is_removed_while_no_training_can_take_one(tmp_path, monkeypatch):
    fn_args = arguments(tmp_path)
    leave(fn_args, exported=True)
    removed = []

    def remove(state):
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(tmp_path / ".state.lock", is_singleton=False).acquire(timeout=0)
        removed.append(state)

    monkeypatch.setattr(resume, "_remove_unless_held", remove)
    discard_published(fn_args.model_run_dir)
    assert len(removed) == 1


def test_what_nfs_keeps_of_open_files_fails_nothing(tmp_path, monkeypatch):
    fn_args = arguments(tmp_path)
    state = leave(fn_args, exported=True)

    def keep(*_, **__):
        with filelock.FileLock(state / "lock").acquire(timeout=0):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))

    with monkeypatch.context() as patched:
        patched.setattr(os, "rmdir", keep)
        discard_published(fn_args.model_run_dir)
    assert state.exists()
    leave(arguments(tmp_path, train_files=["b"]))
    assert not state.exists()


def test_the_state_of_a_training_that_was_not_exported_stays(tmp_path):
    fn_args = arguments(tmp_path)
    state = leave(fn_args)
    discard_published(fn_args.model_run_dir)
    assert state.exists()
