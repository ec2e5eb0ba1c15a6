"""Wording of messages."""

import pytest

from components.text import did_you_mean, lines, one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größe 大きい", "größe 大きい"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("newer than this Unicode: \ud7fc", "newer than this Unicode: \ud7fc"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("two\nlines", "two\\nlines"),
        ("exe\u202egpj.", "exe\\u202egpj."),
        ("\udcff", "\\udcff"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
    ],
)
def test_what_could_steer_a_terminal_is_escaped(text, shown):
    assert printable(text) == shown


def test_one_line_has_no_breaks_and_an_end():
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line("x" * 500) == "x" * 298 + " …"
    assert len(one_line("x" * 500, 40)) == 40
    assert one_line("x" * 40, 40) == "x" * 40


def test_every_line_that_says_something_is_one():
    assert lines("a \n\n  b\tc\x1b\n" + "x" * 50, 40) == ["a", "b c\\x1b", "x" * 38 + " …"]


def test_a_line_that_was_written_over_is_a_line_too():
    assert lines("10 %\r20 %\r\ndone", 40) == ["10 %", "20 %", "done"]


def test_the_nearest_word_is_offered_if_there_is_one():
    assert did_you_mean("epoch", ["epochs", "batch_size"]) == " (did you mean `epochs`?)"
    assert did_you_mean("epoch", ["epic", "epochs", "eposh"]) == " (did you mean `epochs`?)"
    assert did_you_mean("zzz", ["epochs"]) == ""
