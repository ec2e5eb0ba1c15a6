"""Runs the client in a process of its own, and takes its death for an answer."""

import contextlib
import dataclasses
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
_early: dict["Request", "_Process"] = {}


@dataclasses.dataclass(frozen=True)
class Request:
    """What to ask, and about what.

    Attributes:
        model: folder of the SavedModel.
        examples: folder of gzip-compressed TFRecords of `tf.train.Example`.
        originals: folder of files as the source has them.
        settings: what a client may expect.
    """

    model: str
    examples: str
    originals: str
    settings: ServingGateSettings


@contextlib.contextmanager
def begun_early(request: Request) -> Iterator[None]:
    """Has a fresh process make all checks that need no quiet, while this one goes on.

    Within the block `ask` takes over what was begun for an equal request. A process that is not
    asked ends with the block.
    """
    with contextlib.suppress(OSError):  # `ask` will meet the same, and be told of
        _early[request] = _Process(request, _CLIENT)
    try:
        yield
    finally:
        if process := _early.pop(request, None):
            process.end()


def ask(request: Request, client: tuple[str, ...] = _CLIENT) -> list[Gate]:
    """Has every check made in a fresh process.

    Args:
        request: what to ask.
        client: command line to which this process' id is added, and which gets a line with the
            request on its standard input; at the end of that it may measure times.

    Returns:
        The checks that were made; the last one, `process`, says whether the process lived to its
        end.
    """
    process = _early.pop(request, None) or _Process(request, client)
    return process.finish()


class _Process:
    """A client that has been given its request, and the file that it writes its answers to."""

    def __init__(self, request: Request, client: tuple[str, ...]):
        self._timeout_seconds = request.settings.timeout_seconds
        with contextlib.ExitStack() as folders:
            folder = folders.enter_context(tempfile.TemporaryDirectory())
            self._answers = Path(folder, "answers.jsonl")
            self._answers.touch()
            self._process = _start(client)
            self._folders = folders.pop_all()
        asked = {
            **dataclasses.asdict(request),
            "settings": request.settings.model_dump(),
            "answers": str(self._answers),
        }
        with contextlib.suppress(BrokenPipeError):  # it is dead already: `finish` says so
            self._process.stdin.write(f"{json.dumps(asked)}\n")
            self._process.stdin.flush()

    def finish(self) -> list[Gate]:
        """Waits until the process has answered, or has died; see `ask`."""
        try:
            end = self._wait()
            # Whole lines: the last one may have met a full disk.
            lines = self._answers.read_text("utf-8").split("\n")[:-1]
        finally:
            self.end()
        return [*(Gate(**json.loads(line)) for line in lines), end]

    def _wait(self) -> Gate:
        process, seconds = self._process, self._timeout_seconds
        try:
            _, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            message = f"not done after {seconds:g} s, ended"
            return Gate("process", "fail", seconds, seconds, message)
        if process.returncode:
            lines = errors.strip().splitlines() or ["no message"]
            message = f"ended with code {process.returncode}: {lines[-1]}"
            return Gate("process", "fail", process.returncode, 0, message)
        return Gate("process", "pass", 0, 0, "the serving process lived to its end")

    def end(self) -> None:
        """Leaves nothing of the process, whatever it is doing."""
        self._process.kill()
        self._process.communicate()
        self._folders.close()


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
