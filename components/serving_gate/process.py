"""Runs the client in a process of its own, and takes its death for an answer."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import components
from components.gates import Gate
from components.serving_gate.config import ServingGateSettings

_CLIENT = (sys.executable, "-m", "components.serving_gate")
_early: list[subprocess.Popen] = []


@contextlib.contextmanager
def started_early() -> Iterator[None]:
    """Has the next process that is asked import TensorFlow before, while this one goes on.

    It has seen nothing of the model by then. A process that is not asked ends with the block.
    """
    _early.append(_start(_CLIENT))
    try:
        yield
    finally:
        while _early:
            _end(_early.pop())


def ask(
    model: str,
    examples: str,
    originals: str,
    settings: ServingGateSettings,
    client: tuple[str, ...] = _CLIENT,
) -> list[Gate]:
    """Has every check made in a fresh process.

    Args:
        model: folder of the SavedModel.
        examples: folder of gzip-compressed TFRecords of `tf.train.Example`.
        originals: folder of files as the source has them.
        settings: what a client may expect.
        client: command line to which this process' id is added, and which gets the request on its
            standard input.

    Returns:
        The checks that were made; the last one, `process`, says whether the process lived to its
        end.
    """
    process = _early.pop() if _early else _start(client)
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder, "answers.jsonl")
        answers.touch()
        request = {
            "model": model,
            "examples": examples,
            "originals": originals,
            "answers": str(answers),
            "settings": settings.model_dump(),
        }
        end = _request(process, json.dumps(request), settings.timeout_seconds)
        # Whole lines: the last one may have met a full disk.
        lines = answers.read_text("utf-8").split("\n")[:-1]
        checks = [Gate(**json.loads(line)) for line in lines]
    return [*checks, end]


def _start(client: tuple[str, ...]) -> subprocess.Popen:
    path = [str(Path(components.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        # The process that trained may still hold the GPU's memory.
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    return subprocess.Popen(  # noqa: S603 (our own command)
        [*client, str(os.getpid())],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )


def _request(process: subprocess.Popen, request: str, timeout_seconds: float) -> Gate:
    """Waits until the process has answered, or has died."""
    try:
        _, errors = process.communicate(request, timeout_seconds)
    except subprocess.TimeoutExpired:
        message = f"not done after {timeout_seconds:g} s, ended"
        return Gate("process", "fail", timeout_seconds, timeout_seconds, message)
    finally:
        _end(process)
    if process.returncode:
        lines = errors.strip().splitlines() or ["no message"]
        message = f"ended with code {process.returncode}: {lines[-1]}"
        return Gate("process", "fail", process.returncode, 0, message)
    return Gate("process", "pass", 0, 0, "the serving process lived to its end")


def _end(process: subprocess.Popen) -> None:
    """Leaves nothing of a process, whatever it is doing."""
    process.kill()
    process.communicate()
