"""The short form of the trials, always the same; `make test-chaos` draws new ones."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.one_line]

REPOSITORY = Path(__file__).parents[2]


def trials(*arguments: str) -> tuple[int, list[str]]:
    """Exit code and lines of `python -m tests.chaos`."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return ended.returncode, ended.stdout.splitlines()


def test_what_is_written_is_whole_or_not_there():
    code, lines = trials("--storage", "8", "--chain", "1", "--seed", "1")
    assert lines[-1].endswith(": 0 with violations"), "\n".join(lines)
    assert code == 0


def test_a_pusher_that_copies_into_place_is_caught():
    code, lines = trials("--storage", "12", "--only", "push", "--break-pusher", "--seed", "1")
    assert code == 1
    assert any("is not whole" in line for line in lines)
