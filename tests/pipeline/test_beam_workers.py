"""Every function reaches Beam's workers by import path: they are started in another folder."""

import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from apache_beam.runners.portability import local_job_service

from components.example_gen import shards
from pipeline.beam_config import BeamSettings

pytestmark = pytest.mark.slow


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """An empty working folder; nothing but the installation says where Graft is."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return folder


@pytest.fixture
def expected(ingest, tmp_path, monkeypatch) -> dict[str, bytes]:
    """What this process makes of the pictures, in several shards. It then forgets how."""
    monkeypatch.setattr(shards, "_SHARD_BYTES", 10_000)
    files = ingest(tmp_path / "expected", BeamSettings().pipeline_args())
    assert len([name for name in files if name.startswith("Split-train/")]) > 2

    def unable(*_):
        raise AssertionError("done here, or sent along by value")

    monkeypatch.setattr(shards.WriteShard, "process", unable)
    return files


def test_this_process_cannot_do_it(ingest, expected, tmp_path):
    with pytest.raises(AssertionError, match="done here"):
        ingest(tmp_path / "found", BeamSettings().pipeline_args())


def test_worker_processes(ingest, elsewhere, expected, forked, tmp_path, monkeypatch):
    def popen(command, env, **_):
        return forked.Popen(shlex.split(command), env=env)

    monkeypatch.setattr(local_job_service, "subprocess", SimpleNamespace(Popen=popen))
    beam = BeamSettings(direct={"mode": "multi_processing", "workers": 2})
    assert ingest(tmp_path / "found", beam.pipeline_args()) == expected


def _started(process, log: Path, pattern: str) -> str:
    """What a server says of its port."""
    for _ in range(600):
        found = re.search(pattern, log.read_text())
        if found:
            return found[1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"not started in 60 s: {log.read_text()}")


# `python -m MODULE`, with the log of the worker pool, which says its port, and an orderly end, in
# which the pool ends its workers.
_LOGGED = """
import logging, runpy, signal, sys
logging.basicConfig(level=logging.INFO, force=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
runpy.run_module("{module}", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def cluster(elsewhere, forked, tmp_path) -> Iterator[tuple[str, str]]:
    """A Beam job server and a worker pool; gives their addresses.

    Both are forked. The workers that the pool starts are new processes.
    """
    servers = {
        "portability.local_job_service_main": (["--port=0"], r"Listening .* on port (\d+)"),
        "worker.worker_pool_main": (["--service_port=0"], r"servicer at port: \S+:(\d+)"),
    }
    # The pool starts workers with the first `python` in PATH.
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    processes, addresses = [], []
    try:
        for module, (args, pattern) in servers.items():
            log = tmp_path / f"{module}.log"
            program = _LOGGED.format(module=f"apache_beam.runners.{module}")
            with log.open("wb") as output:
                process = forked.Popen(
                    [sys.executable, "-c", program, *args],
                    cwd=elsewhere,
                    env=environment,
                    stdout=output,
                    stderr=output,
                )
            processes.append(process)
            addresses.append(f"localhost:{_started(process, log, pattern)}")
        yield tuple(addresses)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def test_a_job_server_and_a_worker_pool(ingest, cluster, expected, tmp_path):
    jobs, pool = cluster
    beam = BeamSettings(runner="spark", spark={"job_endpoint": jobs, "worker_pool": pool})
    assert ingest(tmp_path / "found", beam.pipeline_args()) == expected
