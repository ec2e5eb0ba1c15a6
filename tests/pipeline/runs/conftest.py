"""A database of ML Metadata as TFX leaves it, for the tests of `graft runs`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ml_metadata import MetadataStore, proto

from pipeline import artifact_manifests
from pipeline.metadata_database import FAILURE


class History:
    """Writes runs as TFX's launcher does, without TFX."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True)
        self.folder = folder
        config = proto.ConnectionConfig(
            sqlite=proto.SqliteMetadataSourceConfig(
                filename_uri=str(folder / "metadata.sqlite"),
                connection_mode=proto.SqliteMetadataSourceConfig.READWRITE_OPENCREATE,
            )
        )
        self.store = MetadataStore(config)
        context = self.store.put_context_type
        self._types = {
            kind: context(proto.ContextType(name=kind)) for kind in ("pipeline_run", "node")
        }
        self._execution = self.store.put_execution_type(proto.ExecutionType(name="node"))
        self._artifact = self.store.put_artifact_type(proto.ArtifactType(name="thing"))

    def run(self, name: str) -> int:
        return self._context("pipeline_run", name)

    def node(self, run: int, node_id: str, key: str, artifact: int | None = None, **told) -> int:
        """One execution: it makes an artifact, or takes one from the cache."""
        state = proto.Execution.COMPLETE if artifact is None else proto.Execution.CACHED
        execution = self._put(run, node_id, state)
        if artifact is None:
            uri = self.folder / "artifacts" / node_id / key / str(execution)
            uri.mkdir(parents=True)
            (uri / "data").write_bytes(b"x" * 1000)
            artifact_manifests.write_missing(self.folder, [str(uri)])
            made = proto.Artifact(type_id=self._artifact, uri=str(uri), state=proto.Artifact.LIVE)
            for word, value in told.items():
                made.custom_properties[word].string_value = value
            (artifact,) = self.store.put_artifacts([made])
        path = proto.Event.Path(
            steps=[proto.Event.Path.Step(key=key), proto.Event.Path.Step(index=0)]
        )
        event = proto.Event(
            artifact_id=artifact, execution_id=execution, type=proto.Event.OUTPUT, path=path
        )
        self.store.put_events([event])
        return artifact

    def fail(self, run: int, node_id: str, state=proto.Execution.FAILED, why: str = "") -> None:
        number = self._put(run, node_id, state)
        (execution,) = self.store.get_executions_by_id([number])
        if why:
            execution.custom_properties[FAILURE].string_value = why
            self.store.put_executions([execution])

    def _put(self, run: int, node_id: str, state) -> int:
        execution = proto.Execution(type_id=self._execution, last_known_state=state)
        (number,) = self.store.put_executions([execution])
        node = self._context("node", f"tiny.{node_id}")
        self.store.put_attributions_and_associations(
            [], [proto.Association(execution_id=number, context_id=c) for c in (run, node)]
        )
        return number

    def _context(self, kind: str, name: str) -> int:
        if found := self.store.get_context_by_type_and_name(kind, name):
            return found.id
        (number,) = self.store.put_contexts([proto.Context(type_id=self._types[kind], name=name)])
        return number


@pytest.fixture
def empty_history(tmp_path) -> History:
    """That of the recipe of `graft`, without any run."""
    return History(tmp_path / "tiny")


@pytest.fixture
def history(empty_history) -> History:
    """A run that pushed, one that took its model from the cache, one that failed."""
    history = empty_history
    first = history.run("2026-11-24T10:00:00.123456")
    model = history.node(first, "Trainer", "model")
    history.node(first, "Evaluator", "blessing")
    history.node(first, "Pusher", "pushed_model", pushed_version="1")
    second = history.run("2026-11-24T11:00:00")
    history.node(second, "Trainer", "model", model)
    history.node(second, "Evaluator", "blessing")
    history.node(second, "Pusher", "pushed_model", already_served="1")
    history.fail(history.run("2026-11-24T12:00:00"), "Trainer", why="the loss is nan")
    return history


@pytest.fixture
def graft(tmp_path, capfd):
    """Calls a function of the command with a recipe; gives what it printed."""
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(f"name: tiny\nworkspace: {tmp_path}\n")

    def graft(command, *arguments):
        command(str(recipe), [], *arguments)
        return capfd.readouterr().out

    return graft


@pytest.fixture
def rows() -> Callable[[str], list[list[str]]]:
    """`rows(text)`: the cells of each line of a table that was printed."""

    def rows(text: str) -> list[list[str]]:
        lines = [line for line in text.splitlines() if line.startswith("│")]
        return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]

    return rows
