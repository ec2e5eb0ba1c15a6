"""What a command ends with is what the shell gets."""

import importlib

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.commands import doctor

pytestmark = pytest.mark.one_line


@pytest.mark.parametrize(
    ("words", "module", "function"),
    [
        (["run"], "run", "run_recipe"),
        (["lr-find"], "lr_find", "find_rate"),
        (["predict", "a.jpg"], "predict", "predict_pictures"),
        (["doctor"], "doctor", "examine"),
        (["data", "show"], "data_show", "show_data"),
        (["data", "labels"], "data_labels", "review_labels"),
        (["schema", "infer"], "schema", "infer_schema"),
        (["schema", "check"], "schema", "check_schema"),
        (["reproduce", "1"], "reproduce", "reproduce"),
        (["rehearse", "digits"], "rehearse", "rehearse_package"),
        (["submit", "digits"], "submit", "submit_package"),
    ],
)
def test_the_exit_code_of_a_command_reaches_the_shell(words, module, function, monkeypatch):
    command = importlib.import_module(f"pipeline.commands.{module}")
    monkeypatch.setattr(command, function, lambda *_, **__: 7)
    assert CliRunner().invoke(app, words).exit_code == 7


@pytest.mark.parametrize(("has_disk", "code"), [(True, 0), (False, 1)])
def test_one_thing_that_is_missing_is_enough_for_the_doctor(has_disk, code, monkeypatch):
    for check in ("_python", "_tfx", "_tensorflow", "_gpus", "_beam", "_recipe"):
        monkeypatch.setattr(doctor, check, lambda *_: (True, "what", "found"))
    monkeypatch.setattr(doctor, "_disk", lambda _: (has_disk, "Free disk", "some"))
    assert doctor.examine("digits", [], verbose=False) == code
