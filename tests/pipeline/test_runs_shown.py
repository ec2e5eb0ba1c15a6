"""How `graft runs` shows what it did not word itself."""

from datetime import datetime, timezone

import pytest

from pipeline import run_history
from pipeline.commands.runs import list_runs, show_run
from pipeline.run_history import NodeRecord, RunRecord


@pytest.fixture
def config(tmp_path, monkeypatch) -> str:
    """A recipe of one run, whose folder and whose failure have brackets."""
    nodes = [NodeRecord("Trainer", "failed", 1.0, "no class [red]apple[/]\x1b")]
    record = RunRecord("2026-11-24T10:00:00", datetime.now(timezone.utc), nodes, {}, "")
    monkeypatch.setattr(run_history, "list_runs", lambda *_: [record])
    monkeypatch.setattr(run_history, "find_run", lambda *_: record)
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(f"name: tiny\nworkspace: '{tmp_path}/[red]'\n")
    return str(recipe)


def test_the_folder_of_runs_is_named_as_it_is(config, capsys):
    list_runs(config, [], False)
    assert "/[red]/tiny" in "".join(line.strip() for line in capsys.readouterr().out.splitlines())


def test_why_a_node_failed_is_told_as_it_is(config, capsys):
    show_run(config, [], None, False)
    assert "Trainer: no class [red]apple[/]\\x1b\n" in capsys.readouterr().out
