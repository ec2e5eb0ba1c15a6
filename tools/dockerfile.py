"""Reads a Dockerfile, as far as Graft's own uses its language. All else is an error."""

import dataclasses
import json
import re
import shlex

_INSTRUCTIONS = {
    *("ARG", "FROM", "ENV", "COPY", "RUN", "USER", "WORKDIR"),
    *("LABEL", "HEALTHCHECK", "ENTRYPOINT", "CMD"),
}
_VARIABLE = re.compile(r"\\(?P<escaped>.)|\$\{(?P<braced>\w+)\}|\$(?P<plain>\w+)|(?P<odd>\$)")


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction, its continuation lines joined.

    Attributes:
        line: number of its first line, from 1.
        name: in capitals.
        text: the rest, with its variables as written.
    """

    line: int
    name: str
    text: str


@dataclasses.dataclass(frozen=True)
class Stage:
    """What follows one FROM.

    Attributes:
        base: image or earlier stage that it starts from, variables replaced.
        name: as in `FROM … AS name`; "" without.
    """

    base: str
    name: str
    instructions: list[Instruction]


def read_instructions(text: str) -> list[Instruction]:
    """Splits a Dockerfile into its instructions.

    Raises:
        ValueError: an instruction that is not known here, or the form of a line.
    """
    instructions = []
    lines = enumerate(text.splitlines(), 1)
    for number, first in lines:
        if not first.strip() or first.lstrip().startswith("#"):
            continue
        parts = [first.strip()]
        while parts[-1].endswith("\\"):
            parts[-1] = parts[-1][:-1].rstrip()
            _, line = next(lines, (0, ""))
            while line.lstrip().startswith("#"):
                _, line = next(lines, (0, ""))
            parts.append(line.strip())
        name, _, rest = " ".join(part for part in parts if part).partition(" ")
        if name.upper() not in _INSTRUCTIONS or "<<" in rest:
            raise ValueError(f"line {number}: {name} in this form is not known here")
        instructions.append(Instruction(number, name.upper(), rest.strip()))
    return instructions


def read_stages(text: str, build_args: dict[str, str]) -> list[Stage]:
    """The stages of a Dockerfile in their order.

    Args:
        text: the Dockerfile.
        build_args: values of ARGs that come before the first FROM.

    Raises:
        ValueError: as `read_instructions`; an ARG without default or value; nothing to build.
    """
    outside: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in read_instructions(text):
        if instruction.name == "FROM":
            words = replace_variables(instruction, outside).split()
            if len(words) not in (1, 3) or words[0].startswith("--"):
                raise ValueError(f"line {instruction.line}: FROM {instruction.text} has no base")
            stages.append(Stage(words[0], words[2] if len(words) == 3 else "", []))
        elif stages:
            stages[-1].instructions.append(instruction)
        elif instruction.name == "ARG":
            outside.update(argument(instruction, build_args, outside))
        else:
            raise ValueError(f"line {instruction.line}: {instruction.name} before the first FROM")
    if not stages:
        raise ValueError("there is no FROM")
    return stages


def argument(
    instruction: Instruction, build_args: dict[str, str], variables: dict[str, str]
) -> dict[str, str]:
    """The variable of an ARG, from `build_args` or its default; empty where it has neither."""
    name, equals, default = instruction.text.partition("=")
    if name in build_args:
        return {name: build_args[name]}
    return {name: _replace(instruction, default, variables)} if equals else {}


def pairs(instruction: Instruction, variables: dict[str, str]) -> dict[str, str]:
    """The `name=value` pairs of an ENV or LABEL.

    Raises:
        ValueError: a word without `=`.
    """
    words = shlex.split(instruction.text, posix=True)
    if not all("=" in word for word in words):
        raise ValueError(f"line {instruction.line}: {instruction.name} takes name=value")
    return {k: _replace(instruction, v, variables) for k, _, v in (w.partition("=") for w in words)}


def command(instruction: Instruction) -> list[str]:
    """The command of a CMD, ENTRYPOINT or HEALTHCHECK, each in the form `["word", …]`.

    Raises:
        ValueError: another form.
    """
    text = instruction.text
    if instruction.name == "HEALTHCHECK":
        text = text.partition("CMD")[2]
    try:
        words = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"line {instruction.line}: {instruction.name} takes a JSON list here"
        ) from error
    return words


def replace_variables(instruction: Instruction, variables: dict[str, str]) -> str:
    """The text of an instruction with its variables replaced. In RUN the shell does that.

    Raises:
        ValueError: a variable that has no value, or a form of one that is not known here.
    """
    return _replace(instruction, instruction.text, variables)


def _replace(instruction: Instruction, text: str, variables: dict[str, str]) -> str:
    def value(match: re.Match) -> str:
        if match["escaped"]:
            return match["escaped"]
        name = match["braced"] or match["plain"]
        if not name:
            raise ValueError(f"line {instruction.line}: {text}: $ in this form is not known here")
        if name not in variables:
            raise ValueError(f"line {instruction.line}: {name} has no value")
        return variables[name]

    return _VARIABLE.sub(value, text)


class Ignore:
    """What a `.dockerignore` keeps from the builder: the last pattern that matches decides."""

    def __init__(self, text: str):
        lines = (line.strip() for line in text.splitlines())
        self._rules = [
            (_pattern(line.lstrip("!")), line.startswith("!"))
            for line in lines
            if line and not line.startswith("#")
        ]

    def __call__(self, path: str) -> bool:
        """Whether a file is kept away.

        Args:
            path: relative to the context, with `/`.
        """
        ignored = False
        for pattern, allows in self._rules:
            if pattern.match(path):
                ignored = not allows
        return ignored


def _pattern(text: str) -> re.Pattern:
    """A pattern matches a path, or any folder above it."""
    expression = ""
    for part in re.findall(r"\*\*/?|\*|\?|[^*?]+", text.strip("/")):
        if part.startswith("**"):
            expression += "(.*/)?" if part.endswith("/") else ".*"
        elif part in "*?":
            expression += "[^/]*" if part == "*" else "[^/]"
        else:
            expression += re.escape(part)
    return re.compile(expression + "(/.*)?$")
