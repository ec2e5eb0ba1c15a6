"""`graft run`: its exit code, with stand-ins for the run."""

import dataclasses
import json
from datetime import datetime, timezone

import pytest

from components import progress
from components.gates import Gate
from pipeline import local_runner, preflight
from pipeline.commands import local_run
from pipeline.commands import run as command
from pipeline.commands.run import run_recipe
from pipeline.config import load_recipe
from pipeline.preflight import Inspection, Scope
from pipeline.run_result import RunError, RunResult

PASS = Gate("accuracy", "pass", 0.9, 0.8, "0.9000, at least 0.8 wanted")
WARN = Gate("not proved worse", "warn", None, -0.01, "no served model: not compared")
FAIL = Gate("latency", "fail", 9.0, 1.0, "median 9.0 ms, at most 1 allowed")


@pytest.fixture(scope="module")
def inspected(tmp_path_factory) -> Inspection:
    """The built-in digits, which take a while to be written."""
    folder = tmp_path_factory.mktemp("digits")
    return preflight.inspect(load_recipe("digits", [f"workspace={folder}"]), Scope.MACHINE)


@pytest.fixture
def run(monkeypatch, tmp_path, capfd, inspected):
    """Runs the command on a stand-in; gives its exit code and what it showed."""
    monkeypatch.setattr(preflight, "inspect", lambda *_: inspected)

    def run(result, as_json=False, verbose=False):
        def run_local(recipe, listener, found):
            assert recipe.folder == tmp_path / "digits" and found is inspected
            if isinstance(result, Exception):
                raise result
            return result() if callable(result) else result

        monkeypatch.setattr(local_runner, "run_local", run_local)
        code = run_recipe(
            "digits", [f"workspace={tmp_path}"], verbose=verbose, wait=False, as_json=as_json
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


def test_it_begins_with_what_is_trained_and_what_the_data_can_prove(run, monkeypatch):
    foreseen = ("about 3 pictures", ["too few", "far too few"])
    monkeypatch.setattr(preflight, "foresee", lambda *_: foreseen)
    _, shown = run(RunResult([PASS], "", "7"))
    assert shown.startswith("digits: digits on mobilenet_v2 alpha 0.35 at 64 px, weights glyphs\n")
    assert "about 3 pictures\nNote: too few\nNote: far too few\n" in shown


def test_what_is_served_already_is_named_by_its_place(run, tmp_path):
    _, shown = run(RunResult([PASS], "", "7"))
    assert f"Served already as {tmp_path}/digits/serving/7" in shown


@pytest.mark.parametrize("verbose", [False, True])
def test_verbose_shows_every_gate_in_a_row_of_its_own(run, verbose):
    gates = [dataclasses.replace(PASS, name=name, node="Evaluator") for name in ("one", "two")]
    _, shown = run(RunResult(gates, "", "7"), verbose=verbose)
    assert ("all 2 passed: one, two" in shown) != verbose


@pytest.mark.parametrize(
    ("pushed", "already", "noted"), [("/served/8", "", ["/served/8"]), ("", "7", []), ("", "", [])]
)
def test_only_what_was_pushed_is_registered(run, monkeypatch, pushed, already, noted):
    asked = []

    def register_pushed(recipe, path):
        asked.append(path)
        return "Registered somewhere"

    monkeypatch.setattr(command, "register_pushed", register_pushed)
    _, shown = run(RunResult([PASS], pushed, already))
    assert asked == noted and ("Registered somewhere" in shown) == bool(noted)


def test_the_page_is_that_of_this_run_and_has_its_overrides(run, monkeypatch, tmp_path):
    asked, waited = [], []

    def run_locally(*arguments, **options):
        waited.append(datetime.now(timezone.utc))  # for another run of the recipe
        return local_run.run_locally(*arguments, **options)

    monkeypatch.setattr(command, "run_locally", run_locally)
    monkeypatch.setattr(command, "report_last", lambda *arguments: asked.append(arguments))
    assert run(RunError("Trainer: no"))[0] == 1
    ((recipe, config, overrides, begun, tell),) = asked
    assert (recipe.name, config, overrides) == ("digits", "digits", [f"workspace={tmp_path}"])
    assert begun > waited[0], "the other run's page is its own"
    assert callable(tell)


def test_verbose_leaves_no_log(run, tmp_path):
    run(RunResult([PASS], "", "7"), verbose=True)
    assert not (tmp_path / "digits" / "logs").exists()
    code, shown = run(RunError("Trainer: no"), verbose=True)
    assert code == 1 and "The log has the details" not in shown
    assert "Log: " in run(RunResult([PASS], "", "7"))[1]


def test_epochs_reach_the_display(run, monkeypatch):
    def train(*_):
        progress.report_epoch(progress.Epoch("frozen", 1, 2, {"loss": 0.5}))
        return RunResult([PASS], "", "7")

    _, shown = run(train, as_json=True)
    (epoch,) = [e for e in map(json.loads, shown.splitlines()) if e["event"] == "epoch"]
    assert (epoch["phase"], epoch["epoch"], epoch["loss"]) == ("frozen", 1, 0.5)


def test_for_programs_the_place_of_the_page_is_an_event_too(run, monkeypatch):
    monkeypatch.setattr(command, "report_last", lambda *arguments: arguments[-1]("Report: a.html"))
    _, shown = run(RunResult([PASS], "", "7"), as_json=True)
    last = json.loads(shown.splitlines()[-1])
    assert (last["event"], last["text"]) == ("message", "Report: a.html")
    assert run(RunResult([PASS], "", "7"))[1].endswith("\nReport: a.html\n")
