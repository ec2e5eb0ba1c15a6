"""Python processes that come with the libraries already imported.

Importing TFX takes a process 12 seconds and more, and tests want many processes. Here they are
forked by multiprocessing's fork server, which has imported the libraries and run nothing: neither
Graft's own modules, which each process imports anew, nor an operation of TensorFlow, whose threads
would be lost.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import site
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
from pathlib import Path

_LIBRARIES = [
    "apache_beam",
    "keras",
    "tensorflow",
    "tensorflow_model_analysis",
    "tensorflow_transform",
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
    "tfx.v1",
]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(_LIBRARIES)
_LIMIT_SECONDS = 600
_SITE_PACKAGES = set(site.getsitepackages())


class ForkedPopen:
    """The part of `subprocess.Popen` that rehearsals and tests use, for Python's command lines.

    Attributes:
        args: the command; its first word is ignored, what follows is `-m MODULE`, `-c CODE` or a
            file, and arguments.
        pid: of the process, which leads a session of its own.
        returncode: None while it runs, negative for a signal.
    """

    def __init__(self, args, cwd=None, env=None, stdout=None, stderr=None, **_):
        """Starts it.

        `stdout` and `stderr` are files with a name; without the first nothing of what it prints is
        kept, without the second errors go where the output goes.
        """
        self.args = list(args)
        self.returncode = None
        call = {
            "words": [str(word) for word in args[1:]],
            "cwd": str(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
            "output": (output := getattr(stdout, "name", os.devnull)),
            "errors": getattr(stderr, "name", output),
        }
        # By file, since modules of tests have no name under which another process finds them.
        self._process = _CONTEXT.Process(
            target=runpy.run_path,
            args=(__file__,),
            kwargs={"init_globals": {"CALL": call}, "run_name": "__forked__"},
        )
        # Otherwise the program that runs the tests would be run again there, for what it defines.
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            self._process.start()
        finally:
            sys.modules["__main__"] = main
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end and gives the exit code; TimeoutExpired after `timeout` seconds."""
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal to a process that still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it by SIGKILL."""
        self.send_signal(signal.SIGKILL)


def run(words, cwd: Path, **options) -> subprocess.CompletedProcess:
    """Runs `python WORDS` in a folder to its end, and gives what it printed as text."""
    with tempfile.NamedTemporaryFile() as output, tempfile.NamedTemporaryFile() as errors:
        command = [sys.executable, *words]
        process = ForkedPopen(command, cwd=cwd, stdout=output, stderr=errors, **options)
        try:
            code = process.wait(_LIMIT_SECONDS)
        finally:
            process.kill()
        printed = (output.read().decode(), errors.read().decode())
    return subprocess.CompletedProcess(command, code, *printed)


def _be_python(words: list[str], cwd: str, env: dict[str, str], output: str, errors: str) -> None:
    """Does in this process what `python WORDS` would do in a new one, and ends it."""
    os.setsid()
    for number, (name, mode) in enumerate([(os.devnull, "rb"), (output, "ab"), (errors, "ab")]):
        with open(name, mode, buffering=0) as file:
            os.dup2(file.fileno(), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    tempfile.tempdir = None  # found anew, from TMPDIR
    option, *rest = words
    folders = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    # Libraries add folders of theirs when they are imported, IPython one that holds `tests`.
    path = [path for path in sys.path if not _SITE_PACKAGES & set(map(str, Path(path).parents))]
    sys.path[:] = [*([cwd] if option in ("-m", "-c") else []), *folders, *path]
    code = 0
    try:
        if option == "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif option == "-c":
            sys.argv = ["-c", *rest[1:]]
            exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
        else:
            sys.argv = words
            runpy.run_path(option, run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()  # multiprocessing leaves that out, and with it TensorFlow's files
    sys.exit(code)


if __name__ == "__forked__":
    _be_python(**CALL)  # noqa: F821 (given by ForkedPopen)
