"""What reaches the terminal and what goes to the log."""

import io
import logging
import os
import sys
import time

import pytest
from rich.console import Console

from components.gates import Gate
from components.progress import Progress
from pipeline.console import (
    RunDisplay,
    gates_table,
    make_console,
    redirect_output,
    say,
)
from pipeline.run_result import NodeReport


def test_noise_of_python_and_of_c_goes_to_the_file_and_the_console_to_the_terminal(tmp_path, capfd):
    log = tmp_path / "logs" / "run.log"
    with redirect_output(log) as console:
        logging.info("from logging")
        print("from print")
        os.write(2, b"from C++\n")
        console.print("for the user")
    print("afterwards")
    out, err = capfd.readouterr()
    assert out == "for the user\nafterwards\n" and err == ""
    text = log.read_text()
    assert all(word in text for word in ("from logging", "from print", "from C++"))


def test_the_terminal_comes_back_after_an_error(tmp_path, capfd):
    with pytest.raises(RuntimeError), redirect_output(tmp_path / "run.log"):
        raise RuntimeError("in the block")
    os.write(2, b"visible\n")
    assert capfd.readouterr().err == "visible\n"


def test_verbose_leaves_the_noise_on_the_terminal(capfd):
    with redirect_output(None):
        logging.info("from logging")
    assert "from logging" in capfd.readouterr().err


def shown(terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=120)
    with RunDisplay(console) as display:
        display.run_started(["Trainer", "ImageExampleGen"])
        display.node_started("Trainer")
        display.step(Progress("frozen, epoch 1 of 2", 3, 4, "loss 0.5"))
        time.sleep(0.3 if terminal else 0)  # the bar is drawn ten times a second
        display.step(Progress("unknown total", 7))
        display.node_finished(NodeReport("Trainer", 12.34, False, "accuracy [0.9]"))
        display.node_started("ImageExampleGen")
        display.node_finished(NodeReport("ImageExampleGen", 0.01, True, ""))
    return file.getvalue()


def test_a_line_per_node_with_seconds_source_and_figure():
    lines = [line.rstrip() for line in shown(terminal=False).splitlines()]
    assert lines == [
        "  Trainer …",
        "✓ Trainer             12.3 s  run     accuracy [0.9]",
        "  ImageExampleGen …",
        "✓ ImageExampleGen      0.0 s  cached",
    ]


def test_on_a_terminal_the_bar_tells_the_step():
    text = shown(terminal=True)
    assert "frozen, epoch 1 of 2" in text and "loss 0.5" in text


def test_the_table_marks_every_verdict():
    gates = [
        Gate("accuracy", "fail", 0.4, 0.9, "0.4"),
        Gate("process", "fail", None, None, "crashed"),
        Gate("latency", "pass", 3.0, 9.0, "fast"),
        Gate("not proved worse", "warn", None, -0.01, "not compared"),
    ]
    file = io.StringIO()
    Console(file=file, width=80).print(gates_table(gates))
    lines = file.getvalue().splitlines()
    marks = [next(mark for mark in "✗✓!" if mark in line) for line in lines if "│ " in line]
    assert marks == ["✗", "✗", "✓", "!"]


def test_noise_inside_a_node_does_not_reach_the_terminal_through_the_bar(tmp_path):
    terminal = io.StringIO()
    with (
        redirect_output(tmp_path / "run.log"),
        RunDisplay(Console(file=terminal, force_terminal=True)),
    ):
        print("a warning", file=sys.stderr)
    assert "a warning" in (tmp_path / "run.log").read_text()
    assert "a warning" not in terminal.getvalue()


HOSTILE = "[red]:cat: a\x1b[2Jb\u202ec"


def test_a_name_from_outside_is_shown_as_it_is_and_steers_nothing():
    file = io.StringIO()
    console = make_console(file=file, width=20)
    say(console, f"data: {HOSTILE}\nmore", style="red")
    assert file.getvalue() == "data: [red]:cat: a\\x1b[2Jb\\u202ec\nmore\n"


def test_what_a_node_tells_is_printable_too():
    file = io.StringIO()
    with RunDisplay(make_console(file=file, width=120)) as display:
        display.run_started(["Trainer"])
        display.node_started("Trainer")
        display.node_finished(NodeReport("Trainer", 1.0, False, HOSTILE))
    assert "\x1b" not in file.getvalue() and "\u202e" not in file.getvalue()
    assert "[red]:cat:" in file.getvalue()


def test_the_log_shows_them_as_escapes_and_keeps_its_lines(tmp_path):
    log = tmp_path / "run.log"
    with redirect_output(log):
        logging.warning("picture %s", HOSTILE)
        try:
            raise KeyError(HOSTILE)
        except KeyError:
            logging.exception("failed")
    text = log.read_text()
    assert "\x1b" not in text and "\u202e" not in text and "a\\x1b[2Jb" in text
    assert "\nTraceback (most recent call last):\n" in text
