"""Cron expressions, from the five fields that people write to the six of Kubeflow Pipelines.

Its parser takes five fields for second, minute, hour, day and month: `0 3 * * 1` would be minute 3
of every hour in January. So five fields get their second here, and nothing is sent that it reads
otherwise or not at all.
"""

import dataclasses

from components.errors import UserError

_NICKNAMES = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")


@dataclasses.dataclass(frozen=True)
class _Field:
    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()  # of the values from `first` on

    def value(self, word: str) -> int | None:
        """The number that a word stands for; None if it stands for none."""
        if word.lower() in self.names:
            return self.first + self.names.index(word.lower())
        return int(word) if word.isascii() and word.isdigit() else None


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 6, _DAYS),
)


def six_fields(expression: str) -> str:
    """Checks a cron expression and completes it.

    Args:
        expression: minute, hour, day of the month, month, day of the week; or these with the second
            before them; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.

    Returns:
        The expression with its second, or the nickname.

    Raises:
        UserError: Kubeflow Pipelines would not accept it, or start a run every second.
    """
    if expression.strip() in _NICKNAMES:
        return expression.strip()
    words = expression.split()
    if len(words) == 5:
        words = ["0", *words]
    if len(words) != 6:
        raise UserError(
            f'--cron "{expression}": write minute, hour, day, month and day of the week, as '
            f'"30 3 * * MON", with the second before them if you like, or one of '
            + ", ".join(_NICKNAMES)
        )
    for field, word in zip(_FIELDS, words, strict=True):
        problem = _problem(field, word)
        if problem:
            raise UserError(f'--cron "{expression}": {field.name} `{word}`: {problem}')
    if not words[0].isdigit():
        raise UserError(
            f'--cron "{expression}": second `{words[0]}` would start more than one run a minute; '
            "of six fields the first is the second: write 0"
        )
    return " ".join(words)


def _problem(field: _Field, word: str) -> str | None:
    for part in word.split(","):
        span, slash, step = part.partition("/")
        if slash and not (step.isascii() and step.isdigit() and int(step) > 0):
            return "what follows / is the step, a whole number from 1"
        if span in ("*", "?"):
            continue
        ends = [field.value(end) for end in span.split("-")]
        allowed = f"{field.first} to {field.last}"
        if field.names:
            allowed += f" or {field.names[0].upper()} to {field.names[-1].upper()}"
        if len(ends) > 2 or None in ends:
            return f"allowed are {allowed}, ranges as 1-5, lists as 1,3, steps as */2"
        if not field.first <= min(ends) <= max(ends) <= field.last:
            sunday = "; Sunday is 0" if field.names == _DAYS and 7 in ends else ""
            return f"allowed are {allowed}{sunday}"
        if ends[0] > ends[-1]:
            return "the range runs backwards"
    return None
