"""The BaselineFinder node, driven as TFX drives it."""

from pathlib import Path

import pytest
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components.baseline_finder.component import BaselineFinder
from components.baseline_finder.executor import Executor


def find(destination: Path, uri: Path):
    uri.mkdir()
    baseline = standard_artifacts.Model()
    baseline.uri = str(uri)
    properties = {"push_destination": str(destination), "champion_digest": "", "code_digest": ""}
    Executor().Do({}, {"baseline": [baseline]}, properties)
    return baseline


def serve(destination: Path, version: str) -> None:
    (destination / version / "variables").mkdir(parents=True)
    (destination / version / "saved_model.pb").write_text(version)
    (destination / version / "variables" / "index").write_text("weights")


def test_the_champion_is_copied_where_the_evaluator_looks(tmp_path):
    serve(tmp_path / "serving", "1")
    serve(tmp_path / "serving", "2")
    baseline = find(tmp_path / "serving", tmp_path / "baseline")
    saved_model = Path(path_utils.serving_model_path(baseline.uri))
    assert saved_model == tmp_path / "baseline" / "Format-Serving"
    assert (saved_model / "saved_model.pb").read_text() == "2"
    assert (saved_model / "variables" / "index").read_text() == "weights"
    assert baseline.get_int_custom_property("has_baseline") == 1
    assert baseline.get_string_custom_property("version") == "2"


def test_it_follows_a_roll_back(tmp_path):
    serve(tmp_path / "serving", "1")
    serve(tmp_path / "serving", "2")
    (tmp_path / "serving" / "champion").write_text("1")
    baseline = find(tmp_path / "serving", tmp_path / "baseline")
    assert baseline.get_string_custom_property("version") == "1"


def test_nothing_served_is_no_baseline_and_said_aloud(tmp_path, caplog):
    baseline = find(tmp_path / "serving", tmp_path / "baseline")
    assert baseline.get_int_custom_property("has_baseline") == 0
    assert baseline.has_custom_property("has_baseline")
    assert list((tmp_path / "baseline").iterdir()) == []
    assert "there is no baseline" in caplog.text


def test_a_champion_that_is_missing_stops_the_run(tmp_path):
    serve(tmp_path / "serving", "1")
    (tmp_path / "serving" / "champion").write_text("5")
    with pytest.raises(ValueError, match="'5', which is not there"):
        find(tmp_path / "serving", tmp_path / "baseline")


def test_a_destination_that_cannot_be_written_stops_the_run_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"push\.destination: cannot write to .*/file/serving"):
        find(tmp_path / "file" / "serving", tmp_path / "baseline")


def test_the_node_is_named_baseline_finder_and_its_properties_are_strings():
    node = BaselineFinder(push_destination="serving", champion_digest="c", code_digest="d")
    assert node.id == "BaselineFinder"
    assert node.exec_properties == {
        "push_destination": "serving",
        "champion_digest": "c",
        "code_digest": "d",
    }
