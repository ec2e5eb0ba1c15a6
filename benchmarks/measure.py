"""Runs a command and watches its time and memory (Linux), and reads what a run of Graft left."""

import contextlib
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]
_PAUSE_S = 0.2
# To tell apart what processes share takes 20 ms per GiB, during which they cannot get more.
_PAUSE_ALL_S = 1.0
_TAIL = 4000
_KIB_PER_MIB = 1024


@dataclasses.dataclass(frozen=True)
class Sample:
    """Memory of a process at a moment.

    Attributes:
        at: seconds since the epoch.
        private_mib: its own pages. Pages of mapped files are left out: the system takes them back
            whenever something else wants the memory.
    """

    at: float
    private_mib: float


@dataclasses.dataclass(frozen=True)
class Watched:
    """How a command went.

    Attributes:
        started: seconds since the epoch.
        seconds: wall time.
        samples: of its memory.
    """

    started: float
    seconds: float
    samples: list[Sample]

    @property
    def peak_private_mib(self) -> float:
        """The most memory of its own that it held."""
        return max((s.private_mib for s in self.samples), default=0.0)


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of a run of Graft: its wall time, and the most memory of its own meanwhile."""

    name: str
    seconds: float
    peak_private_mib: float


@dataclasses.dataclass(frozen=True)
class GraftRun:
    """A run of Graft.

    Attributes:
        watched: its process.
        nodes: in the order in which they began.
        artifacts: folder of what they made.
        events: see `events_of`.
    """

    watched: Watched
    nodes: list[Node]
    artifacts: Path
    events: list[dict[str, Any]]


def run_graft(
    recipe: str, overrides: Sequence[str], folder: Path, children: bool = False
) -> GraftRun:
    """Runs a recipe in a process of its own and in a fresh workspace.

    Args:
        recipe: name or path.
        overrides: `key=value`, for `--set`.
        folder: for the workspace and the log.
        children: see `watch`.

    Raises:
        RuntimeError: a node failed; holds the end of the log.
    """
    log, workspace = folder / "graft.log", folder / "runs"
    command = [sys.executable, "-m", "pipeline.cli", "run", recipe, "--json"]
    for override in (*overrides, f"workspace={workspace}"):
        command += ["--set", override]
    # 1 is also a gate that says no, as it may after a short training: then all nodes have run.
    watched = watch(command, log, ok=(0, 1), cwd=str(_ROOT), children=children)
    database = only(workspace, "*/metadata.sqlite")
    nodes = nodes_of_run(database, watched.samples)
    if "Pusher" not in {node.name for node in nodes}:
        raise RuntimeError(f"the run did not reach its end\n{log.read_text()[-_TAIL:]}")
    events = events_of(log.read_text(encoding="utf-8"), watched.started)
    return GraftRun(watched, nodes, database.parent / "artifacts", events)


def events_of(log: str, started: float) -> list[dict[str, Any]]:
    """The events that `graft run --json` printed, other lines among it.

    Args:
        log: what it printed.
        started: when the process did, seconds since the epoch.

    Returns:
        Each with `at`, its seconds since then.
    """
    events = []
    for line in log.splitlines():
        if line.startswith('{"event": '):
            event = json.loads(line)
            event["at"] = datetime.fromisoformat(event["time"]).timestamp() - started
            events.append(event)
    return events


def watch(
    command: Sequence[str],
    log: Path,
    ok: Iterable[int] = (0,),
    cwd: str | None = None,
    children: bool = False,
) -> Watched:
    """Runs a command to its end.

    Args:
        command: program and arguments.
        log: file for what it prints.
        ok: exit codes of a command that did its work.
        cwd: folder to run it in.
        children: whether the memory of the processes that it starts counts too; what they share
            then counts once.

    Raises:
        RuntimeError: it ended with another exit code; holds the end of the log.
    """
    samples = []
    sample, pause = (_sample_all, _PAUSE_ALL_S) if children else (_sample, _PAUSE_S)
    started, start = time.time(), time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(  # noqa: S603
            command, stdout=file, stderr=subprocess.STDOUT, cwd=cwd
        )
        try:
            while process.poll() is None:
                samples += sample(process.pid)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(pause)
        finally:
            process.kill()
            process.wait()
    seconds = time.monotonic() - start
    if process.returncode not in ok:
        tail = log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]
        raise RuntimeError(f"exit code {process.returncode} of {' '.join(command)}\n{tail}")
    return Watched(started, seconds, samples)


def _sample(pid: int) -> list[Sample]:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has just ended
        return []
    fields = parse_status(status)
    if "RssAnon" not in fields:
        return []
    return [Sample(time.time(), fields["RssAnon"])]


def _sample_all(pid: int) -> list[Sample]:
    """Memory of a process and all that come from it, every page by how many share it."""
    sizes = []
    for one in _family(pid):
        with contextlib.suppress(OSError):  # it has just ended
            sizes.append(parse_status(Path(f"/proc/{one}/smaps_rollup").read_text()))
    # Loaders hand pictures over in shared memory.
    private = sum(s.get("Pss_Anon", 0.0) + s.get("Pss_Shmem", 0.0) for s in sizes)
    return [Sample(time.time(), private)]


def _family(pid: int) -> list[int]:
    children = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += (task / "children").read_text().split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def parse_status(text: str) -> dict[str, float]:
    """The sizes in a `/proc/<pid>/status` or `smaps_rollup`, in MiB."""
    sizes = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            sizes[name] = int(value.removesuffix(" kB")) / _KIB_PER_MIB
    return sizes


def nodes_of_run(database: Path, samples: Sequence[Sample]) -> list[Node]:
    """The nodes that ran, from ML Metadata, in the order in which they began.

    Args:
        database: `metadata.sqlite` of a recipe's folder in which one run was made.
        samples: of the process, for the memory.
    """
    from ml_metadata.metadata_store import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(database)
    store = metadata_store.MetadataStore(config)
    types = {t.id: t.name.rpartition(".")[2] for t in store.get_execution_types()}
    executions = sorted(store.get_executions(), key=lambda e: e.create_time_since_epoch)
    nodes = []
    for execution in executions:
        start = execution.create_time_since_epoch / 1000
        end = execution.last_update_time_since_epoch / 1000
        memory = [s.private_mib for s in samples if start - _PAUSE_S <= s.at <= end + _PAUSE_S]
        nodes.append(Node(types[execution.type_id], end - start, max(memory, default=0.0)))
    return nodes


def only(folder: Path, pattern: str) -> Path:
    """The one file that matches.

    Raises:
        RuntimeError: there is none, or more than one.
    """
    paths = list(folder.glob(pattern))
    if len(paths) != 1:
        raise RuntimeError(f"{len(paths)} files match {folder}/{pattern}, not one")
    return paths[0]
