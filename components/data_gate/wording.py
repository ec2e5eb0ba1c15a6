"""Words that the checks share."""

from collections.abc import Sequence

from components.text import one_line

_SHOWN = 3
_LONGEST_NAME = 40


def quoted(name: str) -> str:
    """A name out of the data, such as a class."""
    return f"'{one_line(name, _LONGEST_NAME)}'"


def listed(texts: Sequence[str]) -> str:
    """The first texts, and how many more there are."""
    more = f"; and {len(texts) - _SHOWN:,} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more
