"""The steps that end a run after a no."""

import json

import pytest

from pipeline.kubeflow.package.artifact_paths import ROOT_VARIABLE
from pipeline.kubeflow.step import entrypoint, probe, verdict

pytestmark = pytest.mark.one_line


@pytest.fixture
def conclude(tmp_path, monkeypatch, capfd):
    """Runs the step with a word of a gate; gives exit code, log and termination message."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    message = tmp_path / "dev" / "termination-log"
    message.parent.mkdir()
    message.touch()

    def conclude(word: str, name="pushed"):
        given = {"inputs": {"parameterValues": {name: word}}, "outputs": {}}
        code = verdict.main(["--executor_input", json.dumps(given), "--environment_digest=0"])
        return code, capfd.readouterr().err, message.read_text()

    return conclude


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        (verdict, "--executor_input"),
        (probe, "--executor_input"),
        (
            entrypoint,
            "--executor_class_path, --json_serialized_invocation_args, "
            "--json_serialized_inputs_spec_args",
        ),
    ],
)
def test_a_step_that_is_started_by_hand_says_what_it_wants(step, wanted, capfd):
    with pytest.raises(SystemExit) as ended:
        step.main([])
    assert ended.value.code == 2
    assert f"the following arguments are required: {wanted}\n" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["blessed", "pushed"])
def test_a_yes_ends_well(conclude, name):
    assert conclude("yes", name) == (0, "", "")


def test_a_run_whose_model_was_refused_ends_as_failed_with_the_gates_words(conclude):
    word = "not pushed, what is served is as it was. accuracy: 0.5000, at least 0.8 wanted"
    assert conclude(word) == (1, f"graft: {word}\n", word)


def test_a_run_whose_data_were_refused_does_too(conclude):
    word = "nothing is trained: the data failed the DataGate. leakage: 3 pictures have copies"
    assert conclude(word, "blessed") == (1, f"graft: {word}\n", word)
