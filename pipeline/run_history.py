"""What the runs of a recipe left: read from ML Metadata, and removed where nothing needs it."""

import dataclasses
import itertools
import shutil
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from ml_metadata import MetadataStore, proto

from components.errors import UserError
from components.gates import GATES_FILE, Gate, read_gates
from components.manifests import file_sizes
from pipeline import artifact_manifests, run_lock
from pipeline.metadata_database import FAILURE, UP_TO, open_store, remove_unfinished
from pipeline.node_ids import BLESSINGS, PUSHER

_PUSHED_MODEL = "pushed_model"
_STATES = {"COMPLETE": "run", "CACHED": "cached", "FAILED": "failed", "CANCELED": "stopped"}
_FINE = ("run", "cached")
RUNNING = "running"
_MOST_NAMES = 5


@dataclasses.dataclass(frozen=True)
class NodeRecord:
    """What a node did in a run.

    Attributes:
        node_id: as in the pipeline.
        state: `run`, `cached`, `failed`, `stopped`, `running`, or `killed` where it did not live to
            tell.
        seconds: wall time; of a cached one, of looking it up.
        failure: why it failed; empty where it did not, or did not live to tell.
    """

    node_id: str
    state: str
    seconds: float
    failure: str = ""


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        name: the local time of its start; behind it, after `UP_TO`, the node that was wanted where
            not all were.
        started: with a time zone.
        nodes: in the order in which they began.
        artifacts: folders that it made or took from the cache, by node and key.
        version: that it pushed, or found to be its model already; empty otherwise.
        pushed: path or address of the version that it pushed; empty if it did not.
    """

    name: str
    started: datetime
    nodes: list[NodeRecord]
    artifacts: dict[tuple[str, str], Path]
    version: str
    pushed: str = ""

    @property
    def up_to(self) -> str:
        """The node that a command wanted, as `graft data show` does; empty: the whole pipeline."""
        return self.name.partition(UP_TO)[2]

    @property
    def ended(self) -> str:
        """How it ended, in a few words."""
        bad = [f"{node.node_id} {node.state}" for node in self.nodes if node.state not in _FINE]
        if bad:
            return ", ".join(bad)
        if self.nodes and self.nodes[-1].node_id == self.up_to:
            return f"up to {self.up_to}"
        if self.version:
            return f"version {self.version}"
        return "not pushed" if (PUSHER, _PUSHED_MODEL) in self.artifacts else "not finished"

    def gates(self) -> list[Gate]:
        """The rows of the nodes that judge, as far as they are still there."""
        folders = (self.artifacts.get(output) for output in BLESSINGS.items())
        return [
            gate
            for folder in folders
            if folder and (folder / GATES_FILE).exists()
            for gate in read_gates(folder)
        ]


def list_runs(folder: Path, since: datetime | None = None) -> list[RunRecord]:
    """The runs of a recipe, oldest first.

    Args:
        folder: of the recipe.
        since: with a time zone; earlier runs are left out, and not read; None: all.
    """
    store = open_store(folder)
    if store is None:
        return []
    contexts = store.get_contexts_by_type("pipeline_run")
    contexts = sorted(contexts, key=lambda context: context.id)  # clocks are set back
    # Whoever holds the folder has begun the newest run, if any: there is one at a time.
    going_on = contexts[-1:] if run_lock.is_held(folder) else []
    return [
        _run(store, context, context in going_on)
        for context in contexts
        if since is None or _started(context) >= since
    ]


def find_run(folder: Path, name: str | None) -> RunRecord:
    """A run by the beginning of its name; None: the last, of the whole pipeline if there is one.

    Where a name has colons, that of the file of its page has hyphens; either is taken.

    Raises:
        UserError: there is none, or there are several.
    """
    runs = list_runs(folder)
    if not runs:
        raise UserError(f"{folder} holds no run yet")
    if name is None:
        return _whole(runs)[-1]
    beginning = name.replace(":", "-")
    found = [run for run in runs if run.name.replace(":", "-").startswith(beginning)]
    if len(found) != 1:
        what = "several runs begin" if found else "no run begins"
        newest = ", ".join(run.name for run in (found or runs)[-_MOST_NAMES:])
        raise UserError(f"{what} with {name!r} (the newest: {newest})")
    return found[0]


def prune(folder: Path, keep: int) -> tuple[int, int]:
    """Removes the artifacts that neither the last runs nor those since made or took from the cache.

    What is served are copies, which stay. To be called by whoever holds the recipe's folder. Of a
    folder that was moved or copied, what lies where it came from is forgotten, and not touched.

    Args:
        folder: of the recipe.
        keep: number of runs of the whole pipeline, at least 1.

    Returns:
        Number of artifacts that were removed, and their bytes.

    Raises:
        UserError: `keep` is less than 1.
    """
    if keep < 1:
        raise UserError(f"--keep {keep} would remove what the next run takes from the cache")
    count, size = remove_unfinished(folder)
    store = open_store(folder)
    if store is None:
        return 0, 0
    runs = list_runs(folder)
    kept = _whole(runs)[-keep:]
    since = itertools.dropwhile(lambda run: run not in kept, runs)
    needed = {path for run in since for path in run.artifacts.values()}
    for artifact in store.get_artifacts():
        gone = artifact.state == proto.Artifact.DELETED and not Path(artifact.uri).exists()
        if gone or Path(artifact.uri) in needed:
            continue
        # First: the cache hands out nothing that is half removed.
        artifact.state = proto.Artifact.DELETED
        store.put_artifacts([artifact])
        if artifact_manifests.is_inside(folder, artifact.uri):
            count, size = count + 1, size + sum(file_sizes(artifact.uri).values())
            artifact_manifests.forget(folder, artifact.uri)
            shutil.rmtree(artifact.uri, ignore_errors=True)
    return count, size


def _whole(runs: list[RunRecord]) -> list[RunRecord]:
    """Those of the whole pipeline; all where there is none."""
    return [run for run in runs if not run.up_to] or runs


def _run(store: MetadataStore, context: proto.Context, going_on: bool = False) -> RunRecord:
    unfinished = RUNNING if going_on else "killed"
    executions = store.get_executions_by_context(context.id)
    nodes, artifacts, version, pushed = [], {}, "", ""
    for execution in sorted(executions, key=lambda execution: execution.id):
        (node_id,) = (
            node.name.rpartition(".")[2]
            for node in store.get_contexts_by_execution(execution.id)
            if node.type == "node"
        )
        state = proto.Execution.State.Name(execution.last_known_state)
        took = execution.last_update_time_since_epoch - execution.create_time_since_epoch
        failure = execution.custom_properties[FAILURE].string_value
        nodes.append(NodeRecord(node_id, _STATES.get(state, unfinished), took / 1000, failure))
        for key, artifact in _outputs(store, execution):
            artifacts[node_id, key] = Path(artifact.uri)
            if key == _PUSHED_MODEL:
                told = artifact.custom_properties
                version = told["pushed_version"].string_value or told["already_served"].string_value
                pushed = told["pushed_destination"].string_value
    return RunRecord(context.name, _started(context), nodes, artifacts, version, pushed)


def _started(context: proto.Context) -> datetime:
    return datetime.fromtimestamp(context.create_time_since_epoch / 1000, timezone.utc)


def _outputs(
    store: MetadataStore, execution: proto.Execution
) -> Iterator[tuple[str, proto.Artifact]]:
    events = [
        event
        for event in store.get_events_by_execution_ids([execution.id])
        if event.type == proto.Event.OUTPUT
    ]
    artifacts = store.get_artifacts_by_id([event.artifact_id for event in events])
    by_id = {artifact.id: artifact for artifact in artifacts}
    for event in events:
        (key, _) = event.path.steps
        yield key.key, by_id[event.artifact_id]
