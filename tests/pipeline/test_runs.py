"""`graft runs`, on a database of ML Metadata as TFX leaves it."""

import json
import shutil
import time
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest
from ml_metadata import MetadataStore, proto

from components.errors import UserError
from components.gates import Gate, write_gates
from pipeline import artifact_manifests, run_history, run_lock
from pipeline.commands.runs import list_runs, prune_runs, show_run
from pipeline.metadata_database import FAILURE
from pipeline.run_history import NodeRecord, RunRecord


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
def history(tmp_path) -> History:
    """A run that pushed, one that took its model from the cache, one that failed."""
    history = History(tmp_path / "tiny")
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


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


def test_the_last_run_is_first_and_says_how_it_ended(graft, history):
    text = graft(list_runs, False)
    assert str(history.folder) in "".join(line.strip() for line in text.splitlines())
    # What two runs share is counted once, with the later.
    assert rows(text) == [
        ["2026-11-24T12:00:00", "Trainer failed", "0 of 1", "0 bytes"],
        ["2026-11-24T11:00:00", "version 1", "2 of 3", "3.0 kB"],
        ["2026-11-24T10:00:00", "version 1", "3 of 3", "2.0 kB"],
    ]
    found = json.loads(graft(list_runs, True))
    assert [run["ended"] for run in found] == ["Trainer failed", "version 1", "version 1"]
    assert found[1]["nodes"]["Trainer"]["state"] == "cached"


def test_a_run_is_shown_with_its_gates(graft, history):
    (blessing,) = [a for a in history.store.get_artifacts() if a.uri.endswith("blessing/2")]
    write_gates(blessing.uri, [Gate("accuracy", "fail", 0.1, 0.9, "far too little")])
    text = graft(show_run, "2026-11-24T10", False)
    assert ["Trainer", "run"] in [row[:2] for row in rows(text)] and "far too little" in text
    assert json.loads(graft(show_run, "2026-11-24T10", True))["gates"] == {"accuracy": "fail"}
    text = graft(show_run, None, False)
    assert "Trainer failed" in text and "Trainer: the loss is nan" in text, "the last one"
    failed = {"state": "failed", "failure": "the loss is nan"}
    trainer = json.loads(graft(show_run, None, True))["nodes"]["Trainer"]
    assert {key: trainer[key] for key in failed} == failed


@pytest.mark.parametrize(
    ("name", "says"),
    [("2025", "no run begins with '2025'"), ("2026", "several runs begin with '2026'")],
)
def test_a_run_that_is_not_there_or_not_one(graft, history, name, says):
    with pytest.raises(UserError, match=rf"{says} \(the newest: 2026"):
        graft(show_run, name, False)


def test_two_that_begin_alike_are_several(graft, history):
    history.run("2026-11-25T10:00:00")
    history.run("2026-11-25T11:00:00")
    with pytest.raises(UserError, match=r"several .*newest: 2026-11-25T10:00:00, 2026-11-25T11"):
        graft(show_run, "2026-11-25", False)


def test_a_run_that_was_killed_or_not_pushed_says_so(graft, history):
    killed = history.run("2026-11-24T13:00:00")
    history.fail(killed, "Trainer", proto.Execution.RUNNING)
    refused = history.run("2026-11-24T14:00:00")
    history.node(refused, "Pusher", "pushed_model")
    unfinished = history.run("2026-11-24T15:00:00")
    history.node(unfinished, "Trainer", "model")
    ended = [row[1] for row in rows(graft(list_runs, False))]
    assert ended[:3] == ["not finished", "not pushed", "Trainer killed"]


def test_what_is_going_on_is_not_told_as_killed(graft, history):
    for hour in ("13", "14"):
        time.sleep(0.002)
        run = history.run(f"2026-11-24T{hour}:00:00")
        history.fail(run, "Trainer", proto.Execution.RUNNING)
    with run_lock.hold(history.folder, wait=False, on_wait=lambda who: None):
        ended = [row[1] for row in rows(graft(list_runs, False))]
        assert ended[:2] == ["Trainer running", "Trainer killed"]
    assert rows(graft(list_runs, False))[0][1] == "Trainer killed"


def test_what_the_last_runs_made_or_took_from_the_cache_stays(graft, history):
    history.node(history.run("2026-11-24T13:00:00"), "Trainer", "model", 1)
    before = {path.relative_to(history.folder).as_posix() for path in history.folder.rglob("data")}
    text = graft(prune_runs, 3)
    after = {path.relative_to(history.folder).as_posix() for path in history.folder.rglob("data")}
    assert before - after == {
        "artifacts/Evaluator/blessing/2/data",
        "artifacts/Pusher/pushed_model/3/data",
    }
    assert "removed 2 artifact(s), 2.0 kB; what is served stays" in text
    sizes = [row[3] for row in rows(graft(list_runs, False))]
    assert sizes == ["1.0 kB", "0 bytes", "2.0 kB", "0 bytes"]
    states = {a.id: a.state for a in history.store.get_artifacts()}
    gone = {number for number, state in states.items() if state == proto.Artifact.DELETED}
    assert gone == {2, 3}, "the cache does not hand them out"
    assert artifact_manifests.find_damaged(history.folder, "Evaluator") == {}
    assert "removed 0 artifact(s)" in graft(prune_runs, 3)


def test_what_was_damaged_goes_too(graft, history):
    (artifact,) = (a for a in history.store.get_artifacts() if a.uri.endswith("blessing/2"))
    artifact.state = proto.Artifact.DELETED  # so that the cache does not hand it out
    history.store.put_artifacts([artifact])
    assert "removed 0 artifact(s)" in graft(prune_runs, 3), "a run that is kept tells of it"
    history.node(history.run("2026-11-24T13:00:00"), "Trainer", "model", 1)
    assert "removed 2 artifact(s), 2.0 kB" in graft(prune_runs, 3)
    assert not Path(artifact.uri).exists() and "removed 0 artifact(s)" in graft(prune_runs, 3)


def test_of_one_run_that_is_kept_all_stays_also_where_a_folder_is_gone_already(graft, history):
    last = history.run("2026-11-24T13:00:00")
    history.node(last, "Trainer", "model", 1)
    for path in (history.folder / "artifacts" / "Evaluator" / "blessing" / "2").iterdir():
        path.unlink()
    (history.folder / "artifacts" / "Evaluator" / "blessing" / "2").rmdir()
    assert "removed 4 artifact(s), 3.0 kB" in graft(prune_runs, 1)
    (left,) = history.folder.rglob("data")
    assert left == history.folder / "artifacts" / "Trainer" / "model" / "1" / "data"


def test_where_a_folder_was_copied_from_nothing_is_touched(graft, history, tmp_path):
    original = tmp_path / "original"
    shutil.copytree(history.folder / "artifacts", original / "artifacts")
    for artifact in history.store.get_artifacts():
        artifact.uri = artifact.uri.replace(str(history.folder), str(original))
        history.store.put_artifacts([artifact])
    history.node(history.run("2026-11-24T13:00:00"), "Evaluator", "blessing")
    history.node(history.run("2026-11-24T14:00:00"), "Trainer", "model", 1)
    assert "removed 1 artifact(s), 1.0 kB" in graft(prune_runs, 1)
    states = {a.id: a.state for a in history.store.get_artifacts()}
    assert [number for number in states if states[number] != proto.Artifact.DELETED] == [1]
    assert len(list(original.rglob("data"))) == 5


def test_what_other_commands_ran_is_not_the_last_run_and_stays(graft, history):
    for hour in ("13", "14"):
        time.sleep(0.002)
        run = history.run(f"2026-11-24T{hour}:00:00_Transform")
        history.node(run, "Transform", "transform_graph")
    assert [row[1] for row in rows(graft(list_runs, False))][:3] == [
        "up to Transform",
        "up to Transform",
        "Trainer failed",
    ]
    assert graft(show_run, None, False).startswith("2026-11-24T12:00:00: Trainer failed\n")
    assert "2026-11-24T14" in graft(show_run, "2026-11-24T14", False)
    assert "removed 2 artifact(s)" in graft(prune_runs, 2)
    left = sorted(path.parts[-4] for path in history.folder.rglob("data"))
    assert left == ["Evaluator", "Pusher", "Trainer", "Transform", "Transform"]


def test_where_no_run_was_whole_the_last_of_all_is_meant(graft, tmp_path):
    history = History(tmp_path / "tiny")
    for name in ("Transform", "StatisticsGen"):
        time.sleep(0.002)
        history.node(history.run(f"2026-11-24T10:00:00_{name}"), "ImageExampleGen", "examples")
    assert graft(show_run, None, False).startswith("2026-11-24T10:00:00_StatisticsGen: not fin")
    assert "removed 1 artifact(s)" in graft(prune_runs, 1)


def test_some_run_stays_and_none_is_disturbed(graft, history):
    with pytest.raises(UserError, match="--keep 0 would remove what the next run takes"):
        graft(prune_runs, 0)
    with (
        run_lock.hold(history.folder, wait=False, on_wait=lambda who: None),
        pytest.raises(run_lock.BusyError, match="is in use by a run of process") as error,
    ):
        graft(prune_runs, 1)
    assert str(error.value).endswith("wait until it has ended"), "the command has no --wait"
    assert len(list(history.folder.rglob("data"))) == 5


def test_without_any_run(graft, tmp_path):
    for command, argument in ((list_runs, False), (prune_runs, 1)):
        assert graft(command, argument).endswith("tiny holds no run yet\n")
    with pytest.raises(UserError, match="holds no run yet"):
        graft(show_run, None, False)
    assert not (tmp_path / "tiny").exists()


def test_each_node_that_failed_says_why_and_the_others_their_seconds(graft, history, monkeypatch):
    nodes = [
        NodeRecord("Trainer", "run", 83.27),
        NodeRecord("Evaluator", "failed", 1.0, "no test pictures"),
        NodeRecord("ServingGate", "failed", 0.04, "it does not answer"),
    ]
    record = RunRecord("2026-11-24T10:00:00", datetime.now(timezone.utc), nodes, {}, "")
    monkeypatch.setattr(run_history, "find_run", lambda *_: record)
    text = graft(show_run, None, False)
    assert "Evaluator: no test pictures\nServingGate: it does not answer\n" in text
    assert "│    83.3 │" in text, "points below one another"
    shown = [row for row in rows(text) if len(row) == 3]
    assert shown == [
        ["Trainer", "run", "83.3"],
        ["Evaluator", "failed", "1.0"],
        ["ServingGate", "failed", "0.0"],
    ]
    assert text.startswith("2026-11-24T10:00:00: Evaluator failed, ServingGate failed\n")


def test_programs_get_all_that_is_known_of_a_run(graft, history):
    found = json.loads(graft(show_run, "2026-11-24T11", True))
    started = found.pop("started")
    assert "T" in started and datetime.fromisoformat(started).tzinfo
    seconds = {node: told.pop("seconds") for node, told in found["nodes"].items()}
    assert all(0 <= second < 60 for second in seconds.values())
    folder = history.folder / "artifacts"
    assert found == {
        "run": "2026-11-24T11:00:00",
        "ended": "version 1",
        "version": "1",
        "nodes": {
            "Trainer": {"state": "cached"},
            "Evaluator": {"state": "run"},
            "Pusher": {"state": "run"},
        },
        "artifacts": {
            "Trainer.model": f"{folder}/Trainer/model/1",
            "Evaluator.blessing": f"{folder}/Evaluator/blessing/5",
            "Pusher.pushed_model": f"{folder}/Pusher/pushed_model/6",
        },
        "gates": {},
    }


def test_nodes_stand_in_their_order_with_the_time_between_their_first_and_last_word():
    def execution(number, state, begun, ended):
        return SimpleNamespace(
            id=number,
            last_known_state=state,
            create_time_since_epoch=begun,
            last_update_time_since_epoch=ended,
            custom_properties=defaultdict(lambda: SimpleNamespace(string_value="")),
        )

    executions = [
        execution(2, proto.Execution.CANCELED, 1_000, 84_270),
        execution(1, proto.Execution.COMPLETE, 500, 900),
    ]
    names = {1: "my.tiny.Transform", 2: "my.tiny.Trainer"}
    store = SimpleNamespace(
        get_executions_by_context=lambda _: executions,
        get_contexts_by_execution=lambda number: [
            SimpleNamespace(type="pipeline_run", name="x"),
            SimpleNamespace(type="node", name=names[number]),
        ],
        get_events_by_execution_ids=lambda _: [
            SimpleNamespace(type=proto.Event.INPUT, artifact_id=1, path=None)
        ],
        get_artifacts_by_id=lambda ids: [SimpleNamespace(id=number) for number in ids],
    )
    context = SimpleNamespace(id=1, name="a run", create_time_since_epoch=1_500)
    run = run_history._run(store, context)
    assert run.nodes == [
        NodeRecord("Transform", "run", 0.4),
        NodeRecord("Trainer", "stopped", 83.27),
    ]
    assert run.artifacts == {}
    assert run.started == datetime(1970, 1, 1, 0, 0, 1, 500_000, timezone.utc)


def test_the_name_of_a_run_is_looked_for_from_its_beginning(graft, history):
    with pytest.raises(UserError, match="no run begins with '11-24T12'"):
        graft(show_run, "11-24T12", False)
    shown = graft(show_run, "2026-11-24T10:00:00", False)
    assert shown.startswith("2026-11-24T10:00:00.123456: ")
    assert graft(show_run, "2026-11-24T10-00-00", False) == shown, "as the file of its page"


def test_runs_are_in_the_order_in_which_they_began(graft, history, monkeypatch):
    history.run("2020-01-01T00:00:00")  # the clock was set back
    stored = MetadataStore.get_contexts_by_type

    def contexts(self, kind):
        found = stored(self, kind)
        found[-1].create_time_since_epoch = 1_577_836_800_000
        return found[::-1]

    monkeypatch.setattr(MetadataStore, "get_contexts_by_type", contexts)
    assert rows(graft(list_runs, False))[0][0] == "2020-01-01T00:00:00"


def test_of_the_runs_since_a_time_no_earlier_one_is_read(history, monkeypatch):
    time.sleep(0.002)
    history.run("2026-11-24T13:00:00")
    begun = run_history.list_runs(history.folder)[-1].started
    read, executions = [], MetadataStore.get_executions_by_context
    monkeypatch.setattr(
        MetadataStore,
        "get_executions_by_context",
        lambda self, context: read.append(context) or executions(self, context),
    )
    (run,) = run_history.list_runs(history.folder, since=begun)
    assert run.name == "2026-11-24T13:00:00" and len(read) == 1


def test_what_a_killed_node_left_half_done_is_removed_too(graft, history):
    """TFX tells ML Metadata of outputs when they are whole."""
    history.fail(history.run("2026-11-24T13:00:00"), "Trainer", proto.Execution.RUNNING)
    number = max(execution.id for execution in history.store.get_executions())
    left = history.folder / "artifacts" / "Trainer" / "model" / str(number)
    left.mkdir(parents=True)
    (left / "data").write_bytes(b"x" * 500)
    assert "removed 1 artifact(s), 500 bytes" in graft(prune_runs, 9)
    assert not left.exists() and len(list(history.folder.rglob("data"))) == 5
