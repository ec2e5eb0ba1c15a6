"""Wording of messages: one line, nothing unprintable, the nearest known word."""

import difflib
import unicodedata
from collections.abc import Iterable

_LONGEST_LINE = 300
# Unicode's categories of what has no glyph of its own: control and format characters (among them
# those that turn the direction of text), lone surrogates, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Format characters that words of Persian and Indic scripts, and emoji, are spelt with.
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """The text with unprintable characters as escapes, so that they cannot steer a terminal.

    Line breaks and tabs are among them. Printable text of any script is left as it is.
    """
    if text.isprintable():  # most are, and a page's pictures are long
        return text
    return "".join(
        char.encode("unicode_escape").decode()
        if unicodedata.category(char) in _UNPRINTABLE and char not in _JOINERS
        else char
        for char in text
    )


def one_line(text: object, longest: int = _LONGEST_LINE) -> str:
    """An error's text, or any other, on one printable line of at most `longest` characters."""
    line = printable(" ".join(str(text).split()))
    return line if len(line) <= longest else f"{line[: longest - 2]} …"


def lines(text: object, longest: int) -> list[str]:
    """The lines of a text, each like `one_line`, without the empty ones."""
    return [one_line(line, longest) for line in str(text).splitlines() if line.strip()]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean `x`?)` with the nearest of the known words; empty if none is near."""
    near = difflib.get_close_matches(word, known)
    return f" (did you mean `{near[0]}`?)" if near else ""
