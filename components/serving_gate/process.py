"""Runs the client in a process of its own, and takes its death for an answer."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import components
from components.gates import Gate
from components.serving_gate.config import ServingGateSettings

_CLIENT = (sys.executable, "-m", "components.serving_gate")


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
        client: command line to which the name of the request file and this process' id are added.

    Returns:
        The checks that were made; the last one, `process`, says whether the process lived to its
        end.
    """
    with tempfile.TemporaryDirectory() as folder:
        request, answers = Path(folder, "request.json"), Path(folder, "answers.jsonl")
        answers.touch()
        request.write_text(
            json.dumps(
                {
                    "model": model,
                    "examples": examples,
                    "originals": originals,
                    "answers": str(answers),
                    "settings": settings.model_dump(),
                }
            )
        )
        end = _run([*client, str(request), str(os.getpid())], settings.timeout_seconds)
        checks = [Gate(**json.loads(line)) for line in answers.read_text("utf-8").splitlines()]
    return [*checks, end]


def _run(command: list[str], timeout_seconds: float) -> Gate:
    path = [str(Path(components.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        # The process that trained may still hold the GPU's memory.
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    try:
        process = subprocess.run(  # noqa: S603 (our own command)
            command,
            check=False,
            env=environment,
            timeout=timeout_seconds,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        message = f"not done after {timeout_seconds:g} s, ended"
        return Gate("process", "fail", timeout_seconds, timeout_seconds, message)
    if process.returncode:
        lines = process.stderr.strip().splitlines() or ["no message"]
        message = f"ended with code {process.returncode}: {lines[-1]}"
        return Gate("process", "fail", process.returncode, 0, message)
    return Gate("process", "pass", 0, 0, "the serving process lived to its end")
