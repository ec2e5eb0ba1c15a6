"""`graft runs`, on a database of ML Metadata as TFX leaves it."""

import json
import time
from collections import defaultdict
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from ml_metadata import MetadataStore, proto

from components.errors import UserError
from components.gates import Gate, write_gates
from pipeline import run_history, run_lock
from pipeline.commands.runs import list_runs, prune_runs, show_run
from pipeline.run_history import NodeRecord, RunRecord


def test_the_last_run_is_first_and_says_how_it_ended(graft, history, rows):
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


def test_a_run_is_shown_with_its_gates(graft, history, rows):
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


def test_a_run_that_was_killed_or_not_pushed_says_so(graft, history, rows):
    killed = history.run("2026-11-24T13:00:00")
    history.fail(killed, "Trainer", proto.Execution.RUNNING)
    refused = history.run("2026-11-24T14:00:00")
    history.node(refused, "Pusher", "pushed_model")
    unfinished = history.run("2026-11-24T15:00:00")
    history.node(unfinished, "Trainer", "model")
    ended = [row[1] for row in rows(graft(list_runs, False))]
    assert ended[:3] == ["not finished", "not pushed", "Trainer killed"]


def test_what_is_going_on_is_not_told_as_killed(graft, history, rows):
    for hour in ("13", "14"):
        time.sleep(0.002)
        run = history.run(f"2026-11-24T{hour}:00:00")
        history.fail(run, "Trainer", proto.Execution.RUNNING)
    with run_lock.hold(history.folder, wait=False, on_wait=lambda who: None):
        ended = [row[1] for row in rows(graft(list_runs, False))]
        assert ended[:2] == ["Trainer running", "Trainer killed"]
    assert rows(graft(list_runs, False))[0][1] == "Trainer killed"


def test_without_any_run(graft, tmp_path):
    for command, argument in ((list_runs, False), (prune_runs, 1)):
        assert graft(command, argument).endswith("tiny holds no run yet\n")
    with pytest.raises(UserError, match="holds no run yet"):
        graft(show_run, None, False)
    assert not (tmp_path / "tiny").exists()


def test_each_node_that_failed_says_why_and_the_others_their_seconds(
    graft, history, monkeypatch, rows
):
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


def test_runs_are_in_the_order_in_which_they_began(graft, history, monkeypatch, rows):
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
