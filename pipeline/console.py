"""The terminal, and where everything goes that does not belong there."""

import contextlib
import datetime
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape

from components.text import printable


def make_console(**options) -> Console:
    """A console that takes `:name:` in a path for what it is, not for an emoji."""
    return Console(emoji=False, **options)


def plain(text: object) -> str:
    """A text from outside, to stand in rich's markup: printable, and never markup itself."""
    return escape(printable(str(text)))


def say(console: Console, text: str, style: str = "") -> None:
    """Prints lines of text from outside as they are, however long they are."""
    for line in text.splitlines():
        console.print(plain(line), style=style, soft_wrap=True, highlight=False)


def say_verbatim(console: Console, text: str, style: str = "") -> None:
    """Prints a text that steers no terminal, as JSON, character by character."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def say_json(console: Console, value: object) -> None:
    """Prints JSON in ASCII: for programs, and on as many lines as people want."""
    say_verbatim(console, json.dumps(value, indent=2))


def log_path(folder: Path) -> Path:
    """Where the log of a command goes that begins now.

    Args:
        folder: of the recipe's runs.
    """
    return folder / "logs" / f"{datetime.datetime.now():%Y-%m-%dT%H-%M-%S}.log"


@contextlib.contextmanager
def redirect_output(log_file: Path | None) -> Iterator[Console]:
    """Sends what Python, absl, Beam and TensorFlow's C++ write to a file.

    Args:
        log_file: appended to; None leaves everything on the terminal.

    Yields:
        The console to print to: standard output, as it was.
    """
    if log_file is None:
        with _logging_to(logging.StreamHandler()):
            yield make_console()
        return
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        terminal = stack.enter_context(open(os.dup(1), "w", encoding="utf-8"))
        stack.callback(_close, terminal)
        log = stack.enter_context(open(log_file, "a", buffering=1, encoding="utf-8"))
        # Both Python's streams and the descriptors below them, which are all that C++ knows.
        stack.enter_context(contextlib.redirect_stdout(log))
        stack.enter_context(contextlib.redirect_stderr(log))
        stack.enter_context(_descriptor_to(1, log.fileno()))
        stack.enter_context(_descriptor_to(2, log.fileno()))
        stack.enter_context(_logging_to(logging.StreamHandler(log)))
        yield make_console(file=terminal)


def _close(terminal: TextIO) -> None:
    """Closes it, also where what could not be printed waits for a `| head` that has ended."""
    with contextlib.suppress(BrokenPipeError):
        terminal.close()


@contextlib.contextmanager
def _descriptor_to(descriptor: int, target: int) -> Iterator[None]:
    saved = os.dup(descriptor)
    os.dup2(target, descriptor)
    try:
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)


class _Formatter(logging.Formatter):
    """Writes names of files and classes so that they cannot steer the terminal that shows them."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).split("\n")))


@contextlib.contextmanager
def _logging_to(handler: logging.Handler) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
