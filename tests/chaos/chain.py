"""Trials of whole runs: a recipe of a tiny network is run, disturbed, and run again."""

import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from components import progress, served_versions
from components.serving_gate import client, process
from pipeline import cli
from pipeline.config import Recipe
from tests import tiny_network
from tests.chaos import forking
from tests.chaos.storage import Trial

_KINDS = ["kill"] * 4 + ["terminate", "interrupt", "disk full", "file size", "removal", "double"]
_SIZE = 32
_EPOCHS = {"frozen": 3, "unfrozen": 2}
# Of a run that a signal ended: by the signal itself, or told by the command.
_ENDED_BY_SIGNAL = {-9, -2, -15, 130, 143}


class Scene:
    """A workspace with a served version, put back as it was before every trial.

    Artifacts know their absolute paths, so all trials happen at the same place.
    """

    def __init__(self, folder: Path):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._folder = folder
        self._runs = folder / "runs"
        self._recipe = _write_recipe(folder, self._runs)
        self._destination = self._runs / "tiny" / "serving"
        self._log = folder / "log"
        self._events = folder / "epochs"
        self._whole = forking.run(self._command(), self._runs, self._log)
        if self._whole.code:
            raise RuntimeError(f"undisturbed: {self._log.read_text()[-2000:]}")
        shutil.copytree(self._runs / "tiny", self._runs / "other")  # another recipe's runs
        shutil.copytree(self._runs, folder / "template", symlinks=True)

    def try_out(self, seed: int) -> Trial:
        """One trial."""
        rng = random.Random(seed)
        self._reset()
        others = _digest_of_folder(self._runs / "other")
        known = set(served_versions.version_numbers(self._destination))
        kind = rng.choice(_KINDS)
        # A model that a gate refuses must never be served.
        variant = rng.choices(["same", "new", "refused"], [1, 6, 2])[0]
        run = self._command(*_changes(variant, rng))
        damaged, codes = "", []
        if kind == "removal":
            what = "undisturbed"
            if rng.random() < 0.5:
                disturbance = forking.draw(rng, ["kill"], self._whole.writes, self._whole.seconds)
                what = str(disturbance)
                codes.append(forking.run(run, self._runs, self._log, disturbance).code)
            damaged = self._remove_a_file(rng)
            what += f", then without {damaged}"
        elif kind == "double":
            what = kind
            children = [forking.Child(run, self._runs, self._log) for _ in range(2)]
            codes += [child.wait().code for child in children]
        else:
            disturbance = forking.draw(rng, [kind], self._whole.writes, self._whole.seconds)
            what = str(disturbance)
            codes.append(forking.run(run, self._runs, self._log, disturbance).code)
        # What a run said does not count for what was removed after it.
        said = None if damaged or not codes else codes[-1]
        violations = self._check(variant, known, damaged, said)
        signalled = kind in forking.SIGNALS or kind == "removal"
        allowed = {
            0,
            1,
            *(_ENDED_BY_SIGNAL if signalled else ()),
            *([2] if kind == "double" else []),
        }
        if not allowed.issuperset(codes):
            violations.append(f"exit code {codes[0]}")
        codes.append(forking.run(run, self._runs, self._log).code)
        violations += self._check(variant, known, damaged, codes[-1])
        # Damage may need a hand; then the message says so, and nothing else is wrong.
        allowed = {int(variant == "refused"), *((1, 2) if damaged else ())}
        if codes[-1] not in allowed:
            violations.append(f"undisturbed it ends with {codes[-1]}: {self._last_line()}")
        if kind in forking.SIGNALS:
            violations += self._epochs_trained_twice()
        if _digest_of_folder(self._runs / "other") != others:
            violations.append("another recipe's run has changed")
        if "Traceback (most recent" in self._log.read_text("utf-8", "replace"):
            violations.append("a traceback was shown")
        return Trial(seed, f"run of a {variant} model", what, codes, violations)

    def _reset(self) -> None:
        shutil.rmtree(self._runs)
        shutil.copytree(self._folder / "template", self._runs, symlinks=True)
        self._log.unlink(missing_ok=True)
        self._events.unlink(missing_ok=True)

    def _command(self, *changes: str) -> Callable[[], int]:
        return lambda: _graft_run(self._recipe, changes, self._events)

    def _remove_a_file(self, rng: random.Random) -> str:
        files = sorted(
            path
            for path in (self._runs / "tiny").rglob("*")
            if path.is_file() and path.suffix != ".log"
        )
        path = rng.choice(files)
        path.unlink()
        return path.relative_to(self._runs / "tiny").as_posix()

    def _check(self, variant: str, known: set[int], damaged: str, code: int | None) -> list[str]:
        """What is wrong with what is served."""
        wrong = []
        models = {
            served_versions.content_digest(folder): folder
            # Also of those that were set aside with a damaged database.
            for folder in (self._runs / "tiny").glob("**/Trainer/model/*/Format-Serving")
        }
        versions = served_versions.version_numbers(self._destination)
        for number in versions:
            digest = served_versions.content_digest(self._destination / str(number))
            touched = ("artifacts/Trainer/model/", f"serving/{number}/")
            if digest not in models and not damaged.startswith(touched):
                wrong.append(f"version {number} is no model that was trained, or half of one")
        new = sorted(number for number in versions if number not in known)
        if variant == "refused" and new:
            wrong.append(f"a model that was refused is served as {new}")
        if new and new != [max(known) + 1]:
            wrong.append(f"after {sorted(known)} came {new}, so it was compared with another")
        if code is not None:
            newest = self._newest_model()
            champion = versions and self._destination / str(versions[-1])
            is_served = bool(
                newest
                and champion
                and served_versions.content_digest(newest)
                == served_versions.content_digest(champion)
            )
            if code == 0 and not is_served:
                wrong.append("exit code 0, and the newest model is not what is served")
        return wrong

    def _newest_model(self) -> Path | None:
        folders = (self._runs / "tiny" / "artifacts" / "Trainer" / "model").glob("*/Format-Serving")
        return max(folders, key=lambda folder: int(folder.parent.name), default=None)

    def _epochs_trained_twice(self) -> list[str]:
        """Epochs that a second run began though the first had gone on to a later one."""
        if not self._events.exists():
            return []
        runs: dict[int, list[str]] = {}
        for line in self._events.read_text().splitlines():
            pid, epoch = line.split(" ", 1)
            runs.setdefault(int(pid), []).append(epoch)
        finished: set[str] = set()
        twice = []
        for epochs in runs.values():
            twice += [epoch for epoch in epochs if epoch in finished]
            finished.update(epochs[:-1])
        return [f"trained twice: {', '.join(twice)}"] if twice else []

    def _last_line(self) -> str:
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return " / ".join(lines[-3:])


def _write_recipe(folder: Path, runs: Path) -> Path:
    from PIL import Image, ImageDraw

    pictures = folder / "pictures"
    rng = random.Random(0)
    for number in range(90):
        picture = Image.new("RGB", (_SIZE, _SIZE), tuple(rng.randrange(60) for _ in range(3)))
        colour = [rng.randrange(60, 120) for _ in range(3)]
        colour[number % 3] = 255
        ImageDraw.Draw(picture).rectangle([4, 4, 27, rng.randrange(20, 28)], fill=tuple(colour))
        path = pictures / ("red", "green", "blue")[number % 3] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    recipe = {
        "name": "tiny",
        "workspace": str(runs),
        "data": {
            "source": str(pictures),
            "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
            "near_duplicates": False,  # these drawings all look alike
        },
        "backbone": {"alpha": 0.35, "image_size": _SIZE, "weights": "imagenet"},
        "augmentation": {"horizontal_flip": True, "views": 2},
        "training": {
            "batch_size": 8,
            "frozen": {
                "epochs": _EPOCHS["frozen"],
                "optimizer": "adam",
                "learning_rate": 0.1,
            },
            "unfrozen": {
                "epochs": _EPOCHS["unfrozen"],
                "learning_rate": 1e-5,
                "fine_tune_at": 1,
            },
        },
        # What 18 pictures prove.
        "evaluation": {"thresholds": {"accuracy": 0.4}, "not_proved_worse": False},
        "serving_gate": {
            "samples": 4,
            "batch": 4,
            "latency_requests": 2,
            "max_latency_ms": 60_000,
            "max_load_seconds": 120,
        },
    }
    Recipe.model_validate(recipe)
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


def _changes(variant: str, rng: random.Random) -> list[str]:
    if variant == "same":
        return []
    changes = [f"seed={rng.randrange(1, 10**6)}"]
    if variant == "refused":
        changes.append("serving_gate.max_load_seconds=0.000001")
    return changes


def _graft_run(recipe: Path, changes: tuple[str, ...], events: Path) -> int:
    """`graft run` in this process, on the tiny network, with ServingGate's process forked too."""
    tiny_network.install()
    process.subprocess = _ForkedClient()
    report, last = progress.report, None

    def noting(task, *arguments, **keywords):
        nonlocal last
        if task != last and re.search(r", epoch \d+ of", task):
            with events.open("a") as file:
                file.write(f"{os.getpid()} {task}\n")
        last = task
        report(task, *arguments, **keywords)

    progress.report = noting
    sys.argv = ["graft", "run", str(recipe)]
    for change in changes:
        sys.argv += ["--set", change]
    cli.main()
    return 0


class _ForkedClient:
    """Stands in for `subprocess` where ServingGate starts its client: a fork from before TensorFlow
    ran anything is as clean as a new process, and 8 s sooner there.
    """

    def __init__(self):
        requests, answers = os.pipe(), os.pipe()
        self._read, self._write = answers[0], requests[1]
        if os.fork() == 0:
            os.close(requests[1])
            self._serve(requests[0], answers[1])
        os.close(requests[0])
        os.close(answers[1])

    def __getattr__(self, name: str):
        return getattr(subprocess, name)

    def Popen(self, command, **_) -> "_ForkedClient":
        self.stdin = io.StringIO()
        return self

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        if timeout:  # it is waited for, and not ended
            os.write(self._write, self.stdin.getvalue().encode())
            self.returncode = int(os.read(self._read, 16))
        return "", "see the log"

    def kill(self) -> None:
        pass

    def _serve(self, requests: int, answers: int) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # it ends without a word, like a client
        with os.fdopen(requests) as lines:
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    code = 1
                    try:
                        client.main(io.StringIO(line))
                        code = 0
                    finally:
                        os._exit(code)
                _, status = os.waitpid(pid, 0)
                os.write(answers, b"%d" % os.waitstatus_to_exitcode(status))
        os._exit(0)


def _digest_of_folder(folder: Path) -> str:
    """Over names and contents of all files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(json.dumps([path.relative_to(folder).as_posix(), content]).encode())
    return digest.hexdigest()
