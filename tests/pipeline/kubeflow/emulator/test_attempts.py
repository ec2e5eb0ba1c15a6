"""A step of a rehearsal that fails: what is shown of it, and the attempts that follow."""

import itertools
from types import SimpleNamespace

import pytest

from components.gates import Gate
from pipeline.kubeflow.emulator import rehearsal
from pipeline.kubeflow.emulator.rehearsal import Rehearsal, StepError
from pipeline.kubeflow.package.documents import load_package
from pipeline.kubeflow.package.retries import RetryPolicy


def test_of_a_log_the_last_twenty_lines_are_shown(tmp_path):
    (tmp_path / "log").write_text("".join(f"line {number}\n" for number in range(50)))
    tail = StepError("it failed", tmp_path / "log").tail.splitlines()
    assert (len(tail), tail[0], tail[-1]) == (20, "line 30", "line 49")


@pytest.fixture
def attempts(tmp_path):
    """`attempts(policy, keep)`: the log and the pod of each attempt of a step that always fails."""
    (tmp_path / "a.log").touch()

    def attempts(policy, keep=False):
        made, found = object.__new__(Rehearsal), []
        made.folder = tmp_path

        def fail(log_name, pod_folder, step, handed):
            assert handed == {"inputs": {"at": "minio://b/x"}}, "what the driver handed the first"
            handed["inputs"]["at"] = "elsewhere"
            pod_folder.mkdir(parents=True)  # fresh each time
            (pod_folder / str(len(found))).touch()
            found.append((log_name, pod_folder.name))
            raise StepError("A ended with exit code 1", tmp_path / "a.log")

        made._run_step = fail
        step = SimpleNamespace(name="A", retries=policy.count, retry_policy=policy)
        handed = {"inputs": {"at": "minio://b/x"}}
        listener = SimpleNamespace(noticed=[].append)
        with pytest.raises(StepError):
            made._run_with_retries(1, step, handed, listener, keep)
        return found

    return attempts


@pytest.mark.parametrize(("factor", "count"), [(2.0, 2), (1.0, 3)])
def test_the_waits_that_a_rehearsal_passes_over_count_all_the_same(attempts, factor, count):
    """After 60 s a second wait of 120 s would end later than 150 s from the start, one of 60 not.

    Nor would a third one of 60 s.
    """
    policy = RetryPolicy(count=5, backoff_s=60, factor=factor, longest_s=150)
    assert len(attempts(policy)) == count


def test_the_time_that_attempts_take_counts_too(attempts, monkeypatch):
    """They take 40 s each: the third retry would begin after 123 s."""
    clock = SimpleNamespace(monotonic=itertools.count(0, 40).__next__)
    monkeypatch.setattr(rehearsal, "time", clock)
    policy = RetryPolicy(count=5, backoff_s=1, factor=1.0, longest_s=100)
    assert len(attempts(policy)) == 3


@pytest.mark.parametrize("keep", [True, False])
def test_every_attempt_has_a_log_and_a_fresh_pod_at_the_same_place(attempts, keep, tmp_path):
    policy = RetryPolicy(count=2, backoff_s=1, factor=1.0, longest_s=100)
    assert attempts(policy, keep) == [("01-A", "01-A"), ("01-A-2", "01-A"), ("01-A-3", "01-A")]
    left = {pod.name: [file.name for file in pod.iterdir()] for pod in tmp_path.glob("pods/*")}
    kept = {"01-A-failed-1": ["0"], "01-A-failed-2": ["1"], "01-A": ["2"]}
    assert left == (kept if keep else {})


@pytest.fixture
def failing(write, tmp_path, monkeypatch, recorder):
    """`failing(step, verdict)`: what becomes of a run whose gate said that if a step fails."""
    (tmp_path / "log").touch()

    def failing(name, verdict="fail"):
        made = Rehearsal(load_package(write()), tmp_path / "work", {})
        made._steps = [SimpleNamespace(name=name)]

        def fail(*_):
            raise StepError(f"{name} ended with exit code 1: no", tmp_path / "log")

        monkeypatch.setattr(made, "_execute", fail)
        monkeypatch.setattr(made, "_gates", lambda: [Gate("accuracy", verdict, 0.5, 0.8, "low")])
        return made.run(recorder)

    return failing


@pytest.mark.parametrize("step", ["DataVerdict", "Verdict"])
def test_a_no_is_told_by_the_step_that_ends_the_run_for_it(failing, step):
    result = failing(step)
    assert result.message == f"{step} ended with exit code 1: no" and not result.succeeded
    assert [gate.name for gate in result.gates] == ["accuracy"]


@pytest.mark.parametrize("step", ["Pusher", "Report"])
def test_any_other_step_that_fails_after_a_no_is_an_error_of_its_own(failing, step):
    with pytest.raises(StepError, match=f"{step} ended with exit code 1"):
        failing(step)


@pytest.mark.parametrize("verdict", ["pass", "warn"])
def test_a_verdict_that_fails_without_a_no_is_an_error_too(failing, verdict):
    with pytest.raises(StepError, match="Verdict ended with exit code 1"):
        failing("Verdict", verdict)
