"""What reaches the terminal and what goes to the log."""

import datetime
import io
import json
import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.console import (
    _close,
    log_path,
    make_console,
    redirect_output,
    say,
    say_json,
    say_verbatim,
)


def test_noise_of_python_and_of_c_goes_to_the_file_and_the_console_to_the_terminal(tmp_path, capfd):
    log = tmp_path / "runs" / "logs" / "run.log"
    with redirect_output(log) as console:
        logging.info("from logging")
        print("from print")
        print("of an error", file=sys.stderr)
        assert "of an error" in log.read_text(), "who is killed leaves what was said"
        os.write(1, b"from C\n")
        os.write(2, b"from C++\n")
        console.print("for the user")
    print("afterwards")
    print("at last", file=sys.stderr)
    out, err = capfd.readouterr()
    assert out == "for the user\nafterwards\n" and err == "at last\n"
    text = log.read_text()
    words = ("from logging", "from print", "of an error", "from C\n", "from C++\n")
    assert all(word in text for word in words)


def test_the_terminal_comes_back_after_an_error(tmp_path, capfd):
    with pytest.raises(RuntimeError), redirect_output(tmp_path / "run.log"):
        raise RuntimeError("in the block")
    os.write(2, b"visible\n")
    assert capfd.readouterr().err == "visible\n"


def test_verbose_leaves_the_noise_on_the_terminal(capfd):
    with redirect_output(None):
        logging.info("from logging")
    assert "from logging" in capfd.readouterr().err


HOSTILE = "[red]:cat: a\x1b[2Jb\u202ec"
SHOWN = r"[red]:cat: a\x1b[2Jb\u202ec"


def test_a_name_from_outside_is_shown_as_it_is_and_steers_nothing():
    file = io.StringIO()
    console = make_console(file=file, width=20)
    say(console, f"data: {HOSTILE}\nmore", style="red")
    assert file.getvalue() == "data: [red]:cat: a\\x1b[2Jb\\u202ec\nmore\n"


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
    assert f" WARNING root: picture {SHOWN}\n" in text, "and each is one"
    assert "\nTraceback (most recent call last):\n" in text


def test_what_was_logged_before_stays_in_the_file(tmp_path):
    log = tmp_path / "run.log"
    log.write_text("of a run that began in the same second\n")
    with redirect_output(log):
        print("of this one")
    assert log.read_text().splitlines() == ["of a run that began in the same second", "of this one"]


@pytest.mark.parametrize("to_file", [True, False])
def test_the_log_and_its_level_are_as_they_were(tmp_path, to_file, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "level", logging.ERROR)
    before = root.handlers[:], root.level
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    with redirect_output(tmp_path / "run.log" if to_file else None):
        assert root.level == logging.INFO and root.handlers != before[0]
    assert (root.handlers, root.level) == before
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors, "none stays open"


def test_each_log_is_named_by_the_second_in_which_it_begins(tmp_path, monkeypatch):
    now = datetime.datetime(2026, 3, 4, 15, 6, 7)
    clock = SimpleNamespace(datetime=SimpleNamespace(now=lambda: now))
    monkeypatch.setattr("pipeline.console.datetime", clock)
    assert log_path(tmp_path) == tmp_path / "logs" / "2026-03-04T15-06-07.log"


def test_a_line_that_is_wider_than_the_terminal_is_not_broken():
    file = io.StringIO()
    say(make_console(file=file, width=20), "one word after another, and no end")
    assert file.getvalue() == "one word after another, and no end\n"


@pytest.mark.parametrize("tell", [say, say_verbatim])
def test_what_is_said_has_the_colour_that_was_asked_for_and_no_other(tell):
    file = io.StringIO()
    options = {"force_terminal": True, "color_system": "standard", "no_color": False}
    console = make_console(file=file, width=20, **options)
    text = "7 of [red]'digits':cat: at http://host/a"
    tell(console, text, style="yellow")
    tell(console, text)
    assert file.getvalue() == f"\x1b[33m{text}\x1b[0m\n{text}\n"


def test_json_is_for_programs_what_it_was_and_for_people_on_many_lines():
    value = {"name": f"{HOSTILE}\x7f\\", "of": [1, None]}
    file = io.StringIO()
    say_json(make_console(file=file, width=20), value)
    text = file.getvalue()
    assert json.loads(text) == value and "\x1b" not in text and "\u202e" not in text
    assert text.splitlines()[2:] == ['  "of": [', "    1,", "    null", "  ]", "}"]


def test_who_has_read_enough_ends_no_command_with_an_error():
    reads, writes = os.pipe()
    terminal = os.fdopen(writes, "w")
    terminal.write("a line that `| head` no longer waits for\n")
    os.close(reads)
    _close(terminal)
    assert terminal.closed
