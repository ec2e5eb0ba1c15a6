"""Trials of storage alone: one operation, one disturbance, and the operation again."""

import dataclasses
import functools
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.chaos import forking
from tests.chaos.operations import OPERATIONS, Operation

_KINDS = ["kill", "kill", "kill", "disk full", "file size"]


@dataclasses.dataclass(frozen=True)
class Trial:
    """What was tried, and what was wrong afterwards."""

    seed: int
    what: str
    disturbance: str
    codes: list[int]
    violations: list[str]

    def __str__(self) -> str:
        end = "; ".join(self.violations) or "ok"
        return f"seed {self.seed}: {self.what}, {self.disturbance}, exit {self.codes}: {end}"


def try_out(seed: int, folder: Path, operations: Sequence[Operation] = OPERATIONS) -> Trial:
    """One trial.

    Args:
        seed: of all that is random.
        folder: for all that is written; an earlier trial's remains are removed.
        operations: one of these is drawn.
    """
    rng = random.Random(seed)
    operation = rng.choice(operations)
    writes, seconds = _undisturbed(operation, folder)
    place, log = _prepared(operation, folder, rng)
    disturbance = forking.draw(rng, _KINDS, writes, seconds)
    act = functools.partial(operation.act, place)
    first = forking.run(act, place, log, disturbance)
    violations = _check(operation, place, log, done=first.code == 0)
    again = forking.run(act, place, log)
    if again.code:
        violations.append(f"undisturbed it fails: {_last_line(log)}")
    violations += _check(operation, place, log, done=again.code == 0)
    return Trial(seed, operation.name, str(disturbance), [first.code, again.code], violations)


@functools.cache
def _undisturbed(operation: Operation, folder: Path) -> tuple[int, float]:
    """Writes and seconds of an operation when nothing disturbs it.

    Raises:
        RuntimeError: it does not work at all.
    """
    place, log = _prepared(operation, folder, random.Random(0))
    ended = forking.run(functools.partial(operation.act, place), place, log)
    violations = _check(operation, place, log, done=True)
    if ended.code or violations:
        raise RuntimeError(f"{operation.name} undisturbed: {violations}, {_last_line(log)}")
    return ended.writes, ended.seconds


def _prepared(operation: Operation, folder: Path, rng: random.Random) -> tuple[Path, Path]:
    """An empty place with the scene set, and the file for what is printed."""
    shutil.rmtree(folder, ignore_errors=True)
    place = folder / "place"
    place.mkdir(parents=True)
    operation.prepare(place, rng)
    return place, folder / "log"


def _check(operation: Operation, place: Path, log: Path, done: bool) -> list[str]:
    """What is wrong, found by a process that may run TensorFlow."""
    answer = log.with_name("violations")
    answer.unlink(missing_ok=True)

    def check() -> None:
        answer.write_text("\n".join(operation.check(place, done)), encoding="utf-8")

    if forking.run(check, place, log).code:
        return [f"the check fails: {_last_line(log)}"]
    return answer.read_text("utf-8").splitlines()


def _last_line(log: Path) -> str:
    return (log.read_text("utf-8", "replace").strip().splitlines() or ["nothing was printed"])[-1]
