"""Mistakes of users, and the wording of errors. A leaf: imports nothing of Graft."""

import difflib
from collections.abc import Iterable

_LONGEST_LINE = 300


class UserError(ValueError):
    """Something that the user gave cannot be used; the text says what, why, and what is right.

    Every other exception is the surroundings' doing (OSError: disk, permission, connection) or a
    bug of Graft. Pydantic's validators raise plain ValueError, which it words itself.
    """


def one_line(error: object, longest: int = _LONGEST_LINE) -> str:
    """The text of an error, or any other, on one line of at most `longest` characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= longest else f"{text[: longest - 2]} …"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean `x`?)` with the nearest of the known words; empty if none is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean `{near[0]}`?)" if near else ""
