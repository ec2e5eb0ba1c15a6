"""The BaselineFinder node, driven as TFX drives it."""

import shutil
from pathlib import Path

import pytest
from tensorflow.core.protobuf import saved_model_pb2
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components import destinations
from components.baseline_finder.component import BaselineFinder
from components.baseline_finder.damage import check_whole
from components.baseline_finder.executor import Executor
from components.errors import UserError
from components.pusher.push import push, republish
from components.served_versions import ServedState, Version, fingerprint, served_state


def find(destination: Path, uri: Path, fingerprint: str = ""):
    uri.mkdir(exist_ok=True)
    baseline = standard_artifacts.Model()
    baseline.uri = str(uri)
    properties = {
        "push_destination": str(destination),
        "served_fingerprint": fingerprint,
        "code_digest": "",
    }
    Executor().Do({}, {"baseline": [baseline]}, properties)
    return baseline


def graph(text: str) -> bytes:
    """A SavedModel's graph with nothing in it but a name."""
    model = saved_model_pb2.SavedModel()
    model.meta_graphs.add().meta_info_def.meta_graph_version = text
    return model.SerializeToString()


def serve(destination: Path, version: str) -> Path:
    """Serves the parts of a model, as earlier releases did: without a record of the push."""
    folder = destination / version
    for name in ("variables", "assets.extra"):
        (folder / name).mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(graph(version))
    (folder / "variables" / "variables.index").write_text("weights")
    (folder / "assets.extra" / "classes.txt").write_text("cat\ndog\n")
    return folder


def test_the_champion_is_copied_where_the_evaluator_looks(tmp_path):
    serve(tmp_path / "serving", "1")
    serve(tmp_path / "serving", "2")
    baseline = find(tmp_path / "serving", tmp_path / "baseline")
    saved_model = Path(path_utils.serving_model_path(baseline.uri))
    assert saved_model == tmp_path / "baseline" / "Format-Serving"
    assert (saved_model / "saved_model.pb").read_bytes() == graph("2")
    assert (saved_model / "variables" / "variables.index").read_text() == "weights"
    assert baseline.get_int_custom_property("has_baseline") == 1
    assert baseline.get_string_custom_property("version") == "2"
    assert baseline.get_string_custom_property("highest_version") == "2"


def test_the_evidence_of_the_served_version_is_handed_on_and_of_no_other(tmp_path):
    model = serve(tmp_path, "model")
    (tmp_path / "found").mkdir()
    destination = tmp_path / "serving"
    destination.mkdir()
    for version in ("1", "2"):
        (tmp_path / "found" / "pictures.parquet").write_text(version)
        push(model, destination, served_state(destination), [tmp_path / "found"])
    baseline = find(destination, tmp_path / "baseline")
    assert Path(baseline.uri, "evidence", "pictures.parquet").read_text() == "2"
    assert Path(baseline.uri, "evidence", "pushed.json").exists()
    shutil.rmtree(destination / "2")
    baseline = find(destination, tmp_path / "older")
    assert Path(baseline.uri, "evidence", "pictures.parquet").read_text() == "1"
    assert baseline.get_string_custom_property("highest_version") == "2"
    shutil.rmtree(destination / "1")
    baseline = find(destination, tmp_path / "none")
    assert baseline.get_int_custom_property("has_baseline") == 0
    assert not Path(baseline.uri, "evidence").exists()


def test_it_follows_a_roll_back(tmp_path):
    for name in ("1", "2"):
        serve(tmp_path / "serving", name)
    republish(tmp_path / "serving", "1", "")
    baseline = find(tmp_path / "serving", tmp_path / "baseline")
    assert baseline.get_string_custom_property("version") == "3"
    assert (Path(baseline.uri) / "Format-Serving" / "saved_model.pb").read_bytes() == graph("1")


def test_a_retry_replaces_what_an_earlier_attempt_left_in_its_folder(tmp_path):
    served, uri = serve(tmp_path / "serving", "1"), tmp_path / "baseline"
    for folder in ("Format-Serving", "evidence"):
        (uri / folder).mkdir(parents=True)
        (uri / folder / "of another version").touch()
    find(tmp_path / "serving", uri)
    assert [path.name for path in uri.iterdir()] == ["Format-Serving"], "it has no evidence"
    there, copied = (
        {path.relative_to(folder) for path in folder.rglob("*")}
        for folder in (served, uri / "Format-Serving")
    )
    assert copied == there


def test_nothing_served_is_no_baseline_and_said_aloud(tmp_path, caplog):
    baseline = find(tmp_path / "serving", tmp_path / "baseline")
    assert baseline.get_int_custom_property("has_baseline") == 0
    assert baseline.has_custom_property("has_baseline")
    assert list((tmp_path / "baseline").iterdir()) == []
    assert baseline.get_string_custom_property("highest_version") == "0"
    assert "there is no baseline" in caplog.text


def test_a_destination_that_cannot_be_written_stops_the_run_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"push\.destination: cannot write to .*/file/serving"):
        find(tmp_path / "file" / "serving", tmp_path / "baseline")


DAMAGES = [
    (lambda folder: shutil.rmtree(folder / "variables"), r"variables/variables\.index is missing"),
    (
        lambda folder: shutil.rmtree(folder / "assets.extra"),
        r"assets\.extra/classes\.txt is missing",
    ),
    (lambda folder: (folder / "saved_model.pb").unlink(), r"saved_model\.pb is missing"),
    (
        lambda folder: (folder / "saved_model.pb").unlink() or (folder / "saved_model.pb").mkdir(),
        r"saved_model\.pb is missing",
    ),
    (
        lambda folder: (folder / "saved_model.pb").write_bytes(b""),
        r"saved_model\.pb (has 0 bytes, not [0-9]+|holds no graph)",
    ),
    (
        lambda folder: (folder / "saved_model.pb").write_bytes(b"all garbage"),
        r"saved_model\.pb (has 11 bytes, not [0-9]+|cannot be read)",
    ),
]


@pytest.mark.parametrize("recorded", [True, False], ids=["pushed", "by an earlier release"])
@pytest.mark.parametrize(("spoil", "damage"), DAMAGES)
def test_a_damaged_champion_stops_the_run_with_advice(tmp_path, recorded, spoil, damage):
    destination = tmp_path / "serving"
    folder = serve(destination, "1")
    if recorded:
        folder = push(folder, destination, served_state(destination))
    spoil(folder)
    message = rf"served version {folder} is damaged: {damage}.*restore it.*or remove the folder"
    with pytest.raises(UserError, match=message):
        find(destination, tmp_path / "baseline")


def test_other_bytes_of_the_same_size_are_damage_too(tmp_path):
    destination = tmp_path / "serving"
    folder = push(serve(destination, "1"), destination, ServedState("1", 1))
    (folder / "variables" / "variables.index").write_text("wreckage"[:7])
    with pytest.raises(UserError, match=r"variables.index is not what was pushed"):
        find(destination, tmp_path / "baseline")


def test_another_version_than_when_the_run_began_stops_it(tmp_path):
    serve(tmp_path / "serving", "1")
    before = fingerprint(tmp_path / "serving")
    find(tmp_path / "serving", tmp_path / "baseline", before)
    serve(tmp_path / "serving", "2")
    with pytest.raises(UserError, match="has changed since this run began; run again"):
        find(tmp_path / "serving", tmp_path / "again", before)


def test_a_folder_whose_number_servers_cannot_read_is_told_and_passed_over(tmp_path, caplog):
    serve(tmp_path / "serving", "1")
    serve(tmp_path / "serving", "99999999999999999999")
    baseline = find(tmp_path / "serving", tmp_path / "baseline")
    assert baseline.get_string_custom_property("version") == "1"
    assert "servers cannot read the number 99999999999999999999" in caplog.text


def test_the_node_is_named_baseline_finder_and_its_properties_are_strings():
    node = BaselineFinder(push_destination="serving", served_fingerprint="c", code_digest="d")
    assert node.id == "BaselineFinder"
    assert node.exec_properties == {
        "push_destination": "serving",
        "served_fingerprint": "c",
        "code_digest": "d",
    }


def test_a_newest_version_without_a_model_is_told_although_an_older_one_is_whole(tmp_path):
    for version in ("1", "2"):
        serve(tmp_path / "serving", version)
    (tmp_path / "serving" / "2" / "saved_model.pb").unlink()
    with pytest.raises(UserError, match=r"served version .*/serving/2 is damaged: saved_model\.pb"):
        find(tmp_path / "serving", tmp_path / "baseline")


@pytest.mark.parametrize("recorded", [True, False], ids=["pushed", "by an earlier release"])
def test_what_was_damaged_on_its_way_is_not_compared_with(tmp_path, monkeypatch, recorded):
    destination, copy_model = tmp_path / "serving", destinations.copy_model
    folder = serve(destination, "1")
    if recorded:
        push(folder, destination, served_state(destination))

    def copy_a_part(destination, name, copy):
        copy_model(destination, name, copy)
        shutil.rmtree(copy / "variables")

    monkeypatch.setattr(destinations, "copy_model", copy_a_part)
    with pytest.raises(UserError, match=r"is damaged: variables/variables\.index is missing"):
        find(destination, tmp_path / "baseline")


def test_of_a_damaged_version_in_a_store_an_older_one_is_to_be_served_again(tmp_path):
    version = Version("2", "s3://models/fruit/2", True, 0, None)
    copy = serve(tmp_path, "copy")
    check_whole(version, copy)
    (copy / "assets.extra" / "classes.txt").unlink()
    message = (
        r"the served version s3://models/fruit/2 is damaged: assets\.extra/classes\.txt is missing"
        r".*restore it from a copy, or serve an older one with `graft versions rollback`$"
    )
    with pytest.raises(UserError, match=message):
        check_whole(version, copy)
