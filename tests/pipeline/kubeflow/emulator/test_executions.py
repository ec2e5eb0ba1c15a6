"""What earlier rehearsals left for the cache."""

from pathlib import Path

import pytest

from components.errors import UserError
from pipeline.kubeflow.emulator.executions import Execution, Executions


def execution(name: str) -> Execution:
    return Execution({"model": {"uri": name}}, {"model": {"name": name}}, {"word": name})


def test_of_a_key_the_newest_is_found_and_of_no_other(tmp_path):
    executions = Executions(tmp_path / "new" / "executions")
    assert executions.find("a") is None
    assert not (tmp_path / "new").exists(), "nothing is made before there is something"
    executions.add("a", execution("old"))
    executions.add("a", execution("new"))
    executions.add("b", execution("other"))
    again = Executions(tmp_path / "new" / "executions")
    assert again.find("a") == execution("new") and again.find("b") == execution("other")
    assert again.find("c") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"artifacts": {}}'])
def test_a_damaged_one_is_named(content, tmp_path):
    executions = Executions(tmp_path)
    executions.add("a", execution("x"))
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=rf"^{tmp_path}/a\.json is damaged: remove it"):
        executions.find("a")


def test_one_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    executions = Executions(tmp_path)
    executions.add("a", execution("old"))

    def stop(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(OSError, match="no space"):
        executions.add("a", execution("new"))
    assert executions.find("a") == execution("old")
