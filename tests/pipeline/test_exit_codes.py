"""What a command ends with is what the shell gets."""

import importlib
import os
import tempfile

import pytest
from typer.testing import CliRunner

from components.errors import UserError
from pipeline import cli
from pipeline.cli import app

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


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (UserError("one\ntwo"), 2, "graft: one\ntwo\n"),
        (OSError(13, "Permission denied", "/srv"), 1, "graft: /srv: Permission denied\n"),
        (ConnectionError("nobody answers"), 1, "graft: nobody answers\n"),
        (MemoryError(), 1, "graft: there is not enough memory\n"),
        (
            RuntimeError("x; No space left on device"),
            1,
            "graft: the disk is full: free some space and run again (x; No space left on device)\n",
        ),
        (KeyError("k"), 70, "graft: KeyError: 'k'\n"),
        (ValueError("of\na library"), 70, "graft: ValueError: of a library\n"),
    ],
)
def test_whatever_ends_a_command_is_a_line_and_a_bug_leaves_its_traceback(
    error, code, says, monkeypatch, capsys, tmp_path
):
    def fail():
        raise error

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr("pipeline.processes.stop_on_signals", lambda: None)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    out, err = capsys.readouterr()
    logs = list(tmp_path.iterdir())
    if code == 70:
        (log,) = logs
        assert log.name.endswith(f"-{os.getpid()}.log"), "two that end at once have two files"
        assert log.read_text().startswith("Traceback") and "in fail" in log.read_text()
        assert f"\n{type(error).__name__}: " in log.read_text()
        says += f"graft: This is a bug in Graft: please report it, with the log {log}\n"
    assert (out, err) == ("", says) and len(logs) == (code == 70)


@pytest.mark.parametrize(("told", "kept"), [(None, ("1", "C")), ("0", ("0", "0"))])
def test_libraries_are_quiet_and_quick_unless_they_were_told_otherwise(told, kept, monkeypatch):
    names = ("TF_CPP_MIN_LOG_LEVEL", "LANGUAGE")
    for name in names:
        monkeypatch.setenv(name, told or "")
        if told is None:
            monkeypatch.delenv(name)
    monkeypatch.setattr(cli, "app", lambda: None)
    monkeypatch.setattr("pipeline.processes.stop_on_signals", lambda: None)
    cli.main()
    assert tuple(os.environ[name] for name in names) == kept
