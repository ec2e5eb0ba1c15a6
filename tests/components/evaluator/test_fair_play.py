"""What the served model has learnt, as its evidence tells."""

import pandas as pd
import pytest
from tfx.types import standard_artifacts

from components.evaluator.executor import _fair_play


@pytest.fixture
def baseline(tmp_path):
    """The copy of version 7, with the table of the pictures that it was made of."""
    artifact = standard_artifacts.Model()
    artifact.uri = str(tmp_path)
    artifact.set_string_custom_property("version", "7")
    (tmp_path / "evidence").mkdir()
    rows = [("a", "g1", "train"), ("b", "g2", "validation"), ("c", "g3", "test")]
    table = pd.DataFrame(rows, columns=["image_id", "group", "split"])
    table.to_parquet(tmp_path / "evidence" / "pictures.parquet")
    return artifact


def test_it_knows_what_it_was_trained_on_and_chosen_by(baseline):
    found = _fair_play(baseline)
    assert found.learnt == {"a", "g1", "b", "g2"} and not found.note


def test_a_version_of_an_earlier_release_has_no_evidence(baseline, tmp_path):
    (tmp_path / "evidence" / "pictures.parquet").unlink()
    found = _fair_play(baseline)
    assert found.note == "version 7 has no evidence of what it was trained on" and not found.learnt


@pytest.mark.parametrize("spoil", ["cut", "columns"])
def test_damaged_evidence_is_said_and_stops_nothing(baseline, tmp_path, spoil):
    file = tmp_path / "evidence" / "pictures.parquet"
    if spoil == "cut":
        file.write_bytes(file.read_bytes()[:100])
    else:
        pd.DataFrame({"image_id": ["a"]}).to_parquet(file)
    found = _fair_play(baseline)
    assert found.note.startswith(f"evidence of version 7 not used: {file} is damaged: ")
    assert "\n" not in found.note and not found.learnt
