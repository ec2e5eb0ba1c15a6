"""What `graft predict` shows on a terminal, and what else."""

import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from pipeline.commands import predict, predict_model
from pipeline.commands.predict_model import Answer
from pipeline.console import make_console


class Sure:
    """A model that knows a cat."""

    classes = ("cat", "dog")
    abstains = has_label_sets = explains = False

    def __init__(self, folder, explain):
        pass

    def answers(self, paths):
        for path in paths:
            print("a word of TensorFlow")
            print("another", file=sys.stderr)
            yield Answer(path, np.array([0.9, 0.1], np.float32))


@pytest.mark.parametrize("on_terminal", [True, False])
def test_on_a_terminal_a_bar_grows_and_lines_are_not_wider(monkeypatch, on_terminal):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(predict_model, "Model", Sure)
    console = make_console(file=io.StringIO(), force_terminal=on_terminal, width=80)
    paths = [f"/{'folder/' * 20}a.jpg", "b.jpg"]
    failed, (summary,) = predict._predict(Path("m"), paths, console, "table", None, False)
    assert failed == 0 and re.fullmatch(r"2 pictures in \d\.\d s", summary)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue()).replace("\r", "\n")
    assert text.startswith("Model: m\n") and ("2/2" in text) == on_terminal
    assert console.file.getvalue().endswith("\x1b[2K") == on_terminal, "the bar is wiped away"
    assert "TensorFlow" not in text and "another" not in text, "it goes to the log"
    first, second = (line for line in text.splitlines() if line.endswith(".jpg"))
    assert second.split() == ["cat", "0.900", "dog", "0.100", "b.jpg"]
    assert (cell_len(first) == 80) == on_terminal == (paths[0] not in first)


@pytest.mark.parametrize("verbose", [False, True])
def test_noise_stays_on_the_terminal_if_that_is_wanted(monkeypatch, capfd, verbose):
    monkeypatch.setattr(predict, "_predict", lambda *_: print("a word of TensorFlow") or (0, []))
    assert predict.predict_pictures([__file__], "", [], Path("m"), verbose) == 0
    assert ("a word of TensorFlow" in capfd.readouterr().out) == verbose


@pytest.fixture
def coloured():
    """A console that writes colours to its file."""
    options = {"force_terminal": True, "color_system": "standard", "no_color": False}
    return make_console(file=io.StringIO(), width=80, **options)


def test_what_could_not_be_classified_is_red_and_nothing_else(monkeypatch, coloured):
    class Unsure(Sure):
        abstains = True

        def answers(self, paths):
            cats = np.array([0.9, 0.1], np.float32)
            yield from (Answer(paths[0], error="not a file"), Answer(paths[1], cats, unsure=True))

    monkeypatch.setattr(predict_model, "Model", Unsure)
    failed, notes = predict._predict(Path("m"), ["pipe", "b.jpg"], coloured, "table", None, False)
    assert failed == 1 and notes[0].endswith("1 unsure, 1 of 2 could not be classified")
    text = coloured.file.getvalue()
    assert re.search(r"\x1b\[31mnot a file[^\x1b]*pipe\x1b\[0m\n", text)
    assert re.search(r"\ncat[^\x1b]*unsure[^\x1b]*b\.jpg\n", text.replace("\x1b[2K", "\n"))


@pytest.mark.parametrize(("output", "is_bold"), [("table", True), ("csv", False)])
def test_the_heading_of_a_table_is_bold_and_what_is_for_programs_is_not(
    monkeypatch, coloured, output, is_bold
):
    monkeypatch.setattr(predict_model, "Model", Sure)
    predict._predict(Path("m"), ["a.jpg"], coloured, output, None, False)
    assert ("\x1b[1m" in coloured.file.getvalue()) == is_bold


def test_only_a_note_is_yellow(monkeypatch, coloured):
    monkeypatch.setattr(predict, "_predict", lambda *_: (0, ["1 picture", "Note: no heat maps"]))
    monkeypatch.setattr(predict, "make_console", lambda stderr: coloured)
    assert predict.predict_pictures([__file__], "", [], Path("m"), False) == 0
    assert coloured.file.getvalue() == "1 picture\n\x1b[33mNote: no heat maps\x1b[0m\n"
