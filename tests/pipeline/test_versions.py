"""`graft versions list`."""

import shutil
from datetime import datetime, timezone

import pytest

from components.pusher.push import push
from components.served_versions import served_state
from pipeline.commands.versions import list_versions


@pytest.fixture
def shown(tmp_path, capfd):
    """`shown(*names)` serves such folders and one that is pushed; gives what is listed."""
    destination = tmp_path / "tiny" / "serving"
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_text("graph")
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(f"name: tiny\nworkspace: {tmp_path}\n")

    def shown(*names: str) -> list[str]:
        for name in names:
            shutil.copytree(model, destination / name)
        if names:
            push(model, destination, served_state(destination))
        list_versions(str(recipe), [])
        return capfd.readouterr().out.splitlines()

    return shown


def test_the_newest_is_first_with_the_time_of_its_push(shown):
    today = f"{datetime.now(timezone.utc).astimezone():%Y-%m-%d}"
    rows = [line for line in shown("7", "1780000000") if "5 bytes" in line]
    assert [row.split()[1] for row in rows] == ["1780000001", "1780000000", "7"]
    assert today in rows[0] and "served" in rows[0]
    assert "2026-05-2" in rows[1] and "not known" in rows[2]
    assert "served" not in rows[1] + rows[2]


def test_a_folder_that_servers_cannot_read_is_told(shown):
    (line,) = [line for line in shown("99999999999999999999") if "9999" in line]
    assert line.endswith("99999999999999999999 is no version: servers cannot read its number")


def test_nothing_is_served_yet(shown, tmp_path):
    assert shown() == [f"Nothing is served at {tmp_path / 'tiny' / 'serving'} yet"]
