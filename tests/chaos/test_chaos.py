"""The short form of the trials, always the same; `make test-chaos` draws new ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.one_line]

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def trials(forked) -> Callable[..., tuple[int, list[str]]]:
    """Exit code and lines of `python -m tests.chaos`."""

    def trials(*arguments: str) -> tuple[int, list[str]]:
        ended = forked.run(["-m", "tests.chaos", *arguments], REPOSITORY)
        assert ended.stdout, ended.stderr[-2000:]
        return ended.returncode, ended.stdout.splitlines()

    return trials


def test_what_is_written_is_whole_or_not_there(trials):
    # Six kinds of writes, and a whole run that is killed.
    code, lines = trials("--storage", "6", "--chain", "1", "--seed", "14")
    assert lines[-1].endswith(": 0 with violations"), "\n".join(lines)
    assert code == 0


def test_a_pusher_that_copies_into_place_is_caught(trials):
    code, lines = trials("--storage", "12", "--only", "push", "--break-pusher", "--seed", "1")
    assert code == 1
    assert any("is not whole" in line for line in lines)
