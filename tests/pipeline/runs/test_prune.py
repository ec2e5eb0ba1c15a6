"""`graft runs prune`: what goes, and what stays."""

import shutil
import time
from pathlib import Path

import pytest
from ml_metadata import proto

from components.errors import UserError
from pipeline import artifact_manifests, run_lock
from pipeline.commands.runs import list_runs, prune_runs, show_run


def test_what_the_last_runs_made_or_took_from_the_cache_stays(graft, history, rows):
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


def test_what_other_commands_ran_is_not_the_last_run_and_stays(graft, history, rows):
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


def test_where_no_run_was_whole_the_last_of_all_is_meant(graft, empty_history):
    history = empty_history
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


def test_what_a_killed_node_left_half_done_is_removed_too(graft, history):
    """TFX tells ML Metadata of outputs when they are whole."""
    history.fail(history.run("2026-11-24T13:00:00"), "Trainer", proto.Execution.RUNNING)
    number = max(execution.id for execution in history.store.get_executions())
    left = history.folder / "artifacts" / "Trainer" / "model" / str(number)
    left.mkdir(parents=True)
    (left / "data").write_bytes(b"x" * 500)
    assert "removed 1 artifact(s), 500 bytes" in graft(prune_runs, 9)
    assert not left.exists() and len(list(history.folder.rglob("data"))) == 5
