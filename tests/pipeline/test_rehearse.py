"""`graft rehearse`: what it hands on, says and ends with, with a stand-in for the steps."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from components.errors import UserError
from components.gates import Gate
from pipeline.commands import rehearse as command
from pipeline.kubeflow.emulator import rehearsal
from pipeline.kubeflow.emulator.rehearsal import RehearsalResult, StepError
from pipeline.run_result import RunError

PASS = Gate("accuracy", "pass", 0.9, 0.8, "fine", node="Evaluator")
SERVED = RehearsalResult([PASS], "", "7")


@pytest.fixture
def rehearse(tmp_path, monkeypatch, capfd):
    """`rehearse(result, …)`: exit code, what was shown, and what the rehearsal was asked for."""
    monkeypatch.chdir(tmp_path)
    package = SimpleNamespace(name="tiny", steps=("A", "B"), spec={})
    monkeypatch.setattr(command, "load_package", lambda _: package)
    monkeypatch.setattr(command, "parse_arguments", lambda _, words: {"given": words})
    monkeypatch.setattr(command, "run_parameter_values", lambda _, given: given)
    monkeypatch.setattr(command, "check_run_parameters", lambda *_: None)

    def rehearse(result, work=None, root="", keep=False, verbose=False, **options):
        asked = {}

        class Rehearsal:
            def __init__(self, package, work, given, root, *, use_cache, order):
                asked.update(work=work, given=given, root=root, use_cache=use_cache, order=order)
                self.folder, self.destination = work / "runs" / "now", work / "serving"

            def run(self, display, keep):
                asked["keep"] = keep
                if isinstance(result, Exception):
                    raise result
                return result

        monkeypatch.setattr(rehearsal, "Rehearsal", Rehearsal)
        code = command.rehearse_package(
            Path("p.yaml"), work, ["a=b"], root, keep, verbose, **options
        )
        return code, capfd.readouterr().out, asked

    return rehearse


def test_a_recipe_is_told_from_a_package(tmp_path):
    (tmp_path / "fruit.yaml").write_text("name: fruit\n")
    with pytest.raises(UserError, match=r"fruit.yaml is no package; `graft compile` makes one"):
        command.rehearse_package(tmp_path / "fruit.yaml", None, [], "", False, False)


def test_it_works_below_the_folder_of_the_pipeline_unless_told(rehearse, tmp_path):
    code, said, asked = rehearse(SERVED)
    work = Path("runs/tiny/rehearsal")
    assert code == 0 and asked == {
        "work": work, "given": {"given": ["a=b"]}, "root": "", "use_cache": True, "order": None,
        "keep": False,
    }  # fmt: skip
    assert (
        said.startswith("tiny: 2 steps, one process each") and f"Logs: {work}/runs/now/logs" in said
    )
    assert f"Served already as {work}/serving/7" in said
    assert (tmp_path / work / "logs").is_dir()


def test_what_the_command_line_says_is_handed_on(rehearse, tmp_path):
    _, _, asked = rehearse(
        SERVED, tmp_path / "here", "s3://a/b", keep=True, use_cache=False, order=7
    )
    told = ("work", "root", "keep", "use_cache", "order")
    assert [asked[key] for key in told] == [tmp_path / "here", "s3://a/b", True, False, 7]


def test_a_parameter_that_a_step_would_refuse_is_told_before_anything_is_left(
    rehearse, monkeypatch, tmp_path
):
    def refuse(spec, values):
        raise UserError(f"{values} will not do")

    monkeypatch.setattr(command, "check_run_parameters", refuse)
    with pytest.raises(UserError, match=r"\[.a=b.\].* will not do"):
        rehearse(SERVED)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cause", "verbose", "code", "log"),
    [
        (KeyError("k"), False, 70, "runs/tiny/rehearsal/logs/"),
        (KeyError("k"), True, 70, "above"),
        (UserError("no"), False, 1, ""),
    ],
)
def test_a_bug_is_to_be_reported_and_a_mistake_is_not(rehearse, cause, verbose, code, log):
    error = RunError("Trainer: no")
    error.__cause__ = cause
    found, said, _ = rehearse(error, verbose=verbose)
    assert found == code and "✗ Trainer: no" in said
    assert (f"please report it, with the log {log}" in said) == bool(log)


def test_a_step_that_failed_shows_the_end_of_its_log(rehearse, tmp_path):
    log = tmp_path / "step.log"
    log.write_text("the [red]last words\n")
    code, said, _ = rehearse(StepError("Trainer ended with exit code 2", log))
    assert code == 1 and said.endswith(f"The end of {log}:\nthe [red]last words\n")


@pytest.mark.parametrize("verbose", [False, True])
def test_a_model_that_was_refused_is_exit_code_1_with_the_reason(rehearse, verbose):
    gates = [PASS, PASS, Gate("latency", "fail", 9, 1, "too slow", node="ServingGate")]
    code, said, _ = rehearse(RehearsalResult(gates, "", "", "Verdict: latency"), verbose=verbose)
    assert code == 1 and "✗ Verdict: latency\n" in said and "Not pushed." in said
    assert ("all 2 passed" in said) != verbose
