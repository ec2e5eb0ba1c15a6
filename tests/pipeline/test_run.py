"""`graft run`: its exit code, with stand-ins for the run."""

import json

import pytest

from components.gates import Gate
from pipeline import local_runner
from pipeline.commands.run import run_recipe
from pipeline.run_result import RunError, RunResult

PASS = Gate("accuracy", "pass", 0.9, 0.8, "0.9000, at least 0.8 wanted")
WARN = Gate("not proved worse", "warn", None, -0.01, "no served model: not compared")
FAIL = Gate("latency", "fail", 9.0, 1.0, "median 9.0 ms, at most 1 allowed")


@pytest.fixture
def run(monkeypatch, tmp_path, capfd):
    """Runs the command on a stand-in; gives its exit code and what it showed."""

    def run(result, as_json=False):
        def run_local(recipe, listener, found):
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(local_runner, "run_local", run_local)
        code = run_recipe(
            "digits", [f"workspace={tmp_path}"], verbose=False, wait=False, as_json=as_json
        )
        return code, capfd.readouterr().out

    return run


def test_a_pushed_model_is_exit_code_0(run, tmp_path):
    code, shown = run(RunResult([PASS, WARN], str(tmp_path / "1"), ""))
    assert code == 0 and f"Pushed to {tmp_path / '1'}" in shown


def test_a_model_that_is_served_already_is_exit_code_0(run):
    code, shown = run(RunResult([PASS], "", "7"))
    assert code == 0 and "Served already as" in shown


def test_a_gate_that_failed_is_exit_code_1(run):
    code, shown = run(RunResult([PASS, FAIL], "", ""))
    assert code == 1 and "Not pushed." in shown and "at most 1 allowed" in shown


def test_a_failed_gate_is_exit_code_1_whatever_is_served(run):
    assert run(RunResult([FAIL], "", "7"))[0] == 1


def test_a_model_that_is_not_served_is_exit_code_1_also_if_no_gate_failed(run):
    code, shown = run(RunResult([PASS], "", ""))
    assert code == 1 and "Not pushed." in shown


def test_a_failed_node_is_exit_code_1_with_the_place_of_the_log(run, tmp_path):
    code, shown = run(RunError("Trainer: loss is not finite"))
    assert code == 1 and "✗ Trainer: loss is not finite" in shown
    assert f"The log has the details: {tmp_path / 'digits' / 'logs'}" in shown


def test_for_programs_there_is_nothing_but_events(run, tmp_path):
    code, shown = run(RunResult([PASS, WARN], str(tmp_path / "1"), ""), as_json=True)
    events = [json.loads(line) for line in shown.splitlines()]
    assert code == 0 and {"message", "run_ended"} == {event["event"] for event in events}
    code, shown = run(RunError("Trainer: loss is not finite"), as_json=True)
    events = [json.loads(line) for line in shown.splitlines()]
    assert code == 1
    assert [e["text"] for e in events if e["event"] == "run_failed"] == [
        "Trainer: loss is not finite"
    ]
