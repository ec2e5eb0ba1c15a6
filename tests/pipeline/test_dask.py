"""`beam.runner: dask`, on a scheduler and worker processes that are started in an empty folder."""

import concurrent.futures
import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.example_gen import shards
from pipeline import dask_cluster
from pipeline.beam_config import BeamSettings
from pipeline.dask_cluster import ClusterError

distributed = pytest.importorskip("distributed", reason="skipped: the extra `dask` is missing")

# What a worker is told, in which nothing of this folder can be imported.
_DIES_AT_ITS_SECOND_SHARD = """
import os
from components.example_gen import shards
written, write = [], shards.write_shard
def dying(*arguments):
    if written:
        os._exit(1)
    written.append(write(*arguments))
shards.write_shard = dying
"""


@pytest.fixture
def told(monkeypatch):
    """Puts a scheduler with some workers in place; holds what its clients were told."""
    told = SimpleNamespace(workers=0, clients=[])

    class Client(contextlib.nullcontext):
        def __init__(self, address, **options):
            super().__init__(self)
            told.clients.append((address, options))
            told.warns = logging.getLogger("distributed").isEnabledFor(logging.WARNING)

        def scheduler_info(self, n_workers=5):  # as some versions have it
            names = [f"tcp://w:{number}" for number in range(told.workers)]
            return {"workers": dict.fromkeys(names if n_workers == -1 else names[:n_workers])}

    monkeypatch.setattr(distributed, "Client", Client)
    return told


def test_every_worker_counts_and_the_look_at_them_leaves_nothing(told):
    told.workers = 7
    assert dask_cluster.check("tcp://dask:8786") == 7
    ((address, options),) = told.clients
    assert address == "tcp://dask:8786" and options["timeout"] == dask_cluster._TIMEOUT_S
    assert options["set_as_default"] is False, "Beam is to make its own"
    assert not told.warns, "of every attempt to connect"


def test_a_cluster_without_workers_is_told(told):
    with pytest.raises(ClusterError, match=r"dask\.scheduler: tcp://dask:8786 has no workers yet"):
        dask_cluster.check("tcp://dask:8786")


@pytest.mark.parametrize("fails", [True, False])
def test_no_connection_that_beam_left_open_stays(monkeypatch, fails):
    left = ["first", "second"]

    def default_client():
        if not left:
            raise ValueError("No clients found")
        return SimpleNamespace(close=lambda timeout: left.pop())

    monkeypatch.setattr(distributed, "default_client", default_client)
    with contextlib.suppress(KeyError), dask_cluster.used():
        if fails:
            raise KeyError("a bug")
    assert left == []


# Nobody is there; no address; and no certificate is known here.
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tcp://[::1:9", "tls://127.0.0.1:9"])
def test_a_scheduler_that_is_not_there_is_one_line(monkeypatch, address):
    monkeypatch.setattr(dask_cluster, "_TIMEOUT_S", 0.2)
    with pytest.raises(ClusterError, match=r"nobody answers as a Dask scheduler at t") as error:
        dask_cluster.check(address)
    assert str(error.value).startswith("beam.dask.scheduler: ") and address in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "error",
    [
        distributed.KilledWorker("write", SimpleNamespace(address="tcp://w:1"), 3),
        distributed.CancelledError("write"),
        concurrent.futures.CancelledError("write"),
        distributed.comm.CommClosedError("closed"),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_what_the_loss_of_a_cluster_means_is_told_in_a_line(error):
    says = rf"^the Dask cluster could not do it \({type(error).__name__}: .*\): look at the logs"
    with pytest.raises(ClusterError, match=says), dask_cluster.used():
        raise error


def test_what_is_not_of_the_cluster_is_told_as_it_is():
    with pytest.raises(KeyError), dask_cluster.used():
        raise KeyError("a bug")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[str]:
    """A scheduler and two worker processes; gives its address."""
    folder = tmp_path_factory.mktemp("elsewhere")
    file = folder / "scheduler.json"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # Graft is installed from a folder of sources here, in the workers' image for good.
    environment["PYTHONPATH"] = str(Path(dask_cluster.__file__).parents[1])
    commands = [
        ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        ["worker", "--nworkers", "2", "--nthreads", "1", "--no-dashboard", "--death-timeout", "60"],
    ]
    processes = []
    try:
        for command in commands:
            with (folder / f"{command[0]}.log").open("wb") as log:
                program = [sys.executable, "-m", "dask", *command, "--scheduler-file", str(file)]
                processes.append(
                    subprocess.Popen(program, cwd=folder, env=environment, stdout=log, stderr=log)
                )
        for _ in range(600):
            if file.exists():
                break
            time.sleep(0.1)
        with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(2, timeout=120)
            yield client.scheduler.address
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(timeout=30)


@pytest.mark.slow
def test_the_workers_write_what_one_process_writes_also_when_one_dies_in_the_middle(
    ingest, cluster, tmp_path, monkeypatch
):
    monkeypatch.setattr(shards, "_SHARD_BYTES", 10_000)
    expected = ingest(tmp_path / "expected", BeamSettings().pipeline_args())
    assert len([name for name in expected if name.startswith("Split-train/")]) > 4

    def unable(*_):
        raise AssertionError("done here")

    monkeypatch.setattr(shards, "write_shard", unable)
    shared = tmp_path / "shared"
    beam = BeamSettings(runner="dask", dask={"scheduler": cluster, "shared_folder": str(shared)})
    assert dask_cluster.check(cluster) == 2
    with dask_cluster.used():
        assert ingest(tmp_path / "found", beam.pipeline_args()) == expected
    assert list(shared.iterdir()) == []

    with distributed.Client(cluster, set_as_default=False) as client:
        before = set(client.scheduler_info()["workers"])
        client.run(exec, _DIES_AT_ITS_SECOND_SHARD, {}, workers=[min(before)])
    with dask_cluster.used():
        assert ingest(tmp_path / "again", beam.pipeline_args()) == expected
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        assert set(client.scheduler_info()["workers"]) != before, "one died"
    with pytest.raises(ValueError, match="No clients found"):
        distributed.default_client()
