"""Tries at random what kills, full disks and damage do to Graft's writes.

    python -m tests.chaos --storage 140 --chain 60

Every trial prints its seed; `--seed N --storage 1` tries that one again. Exit code 1 where an
invariant was violated.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

# All that a trial imports, so that it comes along with the fork.
import components.pusher.push
import components.trainer.run_fn  # noqa: F401
import pipeline.commands.run
import pipeline.local_runner  # noqa: F401
from tests.chaos import chain, storage, versions
from tests.chaos.operations import OPERATIONS


def main() -> int:
    """Runs the trials and prints one line for each; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--storage", type=int, default=0, help="trials of single writes")
    parser.add_argument("--chain", type=int, default=0, help="trials of whole runs")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first trial")
    names = [operation.name for operation in OPERATIONS]
    parser.add_argument("--only", choices=names, action="append", help="trials of these writes")
    parser.add_argument("--break-pusher", action="store_true", help="must give violations")
    parser.add_argument("--folder", type=Path, help="keep what the last trial leaves here")
    arguments = parser.parse_args()
    if arguments.break_pusher:
        versions.break_pusher()
    chosen = [one for one in OPERATIONS if one.name in (arguments.only or names)]
    with tempfile.TemporaryDirectory(prefix="graft-chaos-") as scratch:
        folder = arguments.folder or Path(scratch)
        tempfile.tempdir = scratch  # where killed processes leave theirs
        trials = []
        for number in range(arguments.storage):
            trials.append(storage.try_out(arguments.seed + number, folder / "storage", chosen))
            print(trials[-1], flush=True)
        if arguments.chain:
            scene = chain.Scene(folder / "chain")
            for number in range(arguments.chain):
                trials.append(scene.try_out(arguments.seed + number))
                print(trials[-1], flush=True)
    violated = [trial for trial in trials if trial.violations]
    print(f"{len(trials)} trials from seed {arguments.seed}: {len(violated)} with violations")
    return int(bool(violated))


if __name__ == "__main__":
    sys.exit(main())
