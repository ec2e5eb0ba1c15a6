"""`graft data` and `graft schema` on what a run has left in the cache."""

import csv

import pytest
import yaml
from PIL import Image

from components.errors import UserError
from pipeline.commands.data_labels import review_labels
from pipeline.commands.data_show import show_data
from pipeline.commands.schema import check_schema, infer_schema


@pytest.fixture(scope="module")
def config(recipe, first, tmp_path_factory) -> str:
    """The path of the recipe of the first run."""
    path = tmp_path_factory.mktemp("recipe") / "shapes.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json", exclude_unset=True)))
    return str(path)


def test_a_data_set_is_shown_without_running_a_node(config, tmp_path, capfd):
    sheet = tmp_path / "new" / "data.png"
    assert show_data(config, [], sheet, False, False) == 0
    shown = capfd.readouterr().out
    assert shown.count("cached") == 3, "ImageExampleGen, ImportSchemaGen, Transform"
    assert "disc/kein Bild.jpg" in shown and "1 file(s) set aside" in shown
    assert "No picture is a copy of another" in shown and "JPEG (120)" in shown
    with Image.open(sheet) as drawn:
        assert drawn.width == 1402 and drawn.height > 600


def test_labels_are_judged_and_listed(config, tmp_path, capfd):
    sheet = tmp_path / "labels.png"
    assert review_labels(config, [], 5, sheet, False, False) == 0
    rows = list(csv.DictReader(sheet.with_suffix(".csv").read_text().splitlines()))
    said = f"{len(rows)} of 120 pictures are taken for another class"
    assert said in capfd.readouterr().out and 0 < len(rows) < 60 and sheet.exists()
    assert all(row["given"] == row["path"].split("/")[0] for row in rows)
    assert all(row["suggested"] != row["given"] for row in rows)
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores)


def test_the_pictures_are_as_the_schema_says(config, capfd):
    assert check_schema(config, [], None, False, False) == 0
    assert "No anomalies" in capfd.readouterr().out


def test_pictures_are_held_to_a_schema_that_was_inferred_and_edited(config, tmp_path, capfd):
    path = tmp_path / "inferred.pbtxt"
    assert infer_schema(config, [], path, False, False, False) == 0
    assert check_schema(config, [], path, False, False) == 0
    with pytest.raises(UserError, match="is there already"):
        infer_schema(config, [], path, False, False, False)
    text = path.read_text()
    assert text.count('value: "frame"') == 1
    path.write_text(text.replace('value: "frame"', ""))
    capfd.readouterr()
    assert check_schema(config, [], path, False, False) == 1
    shown = " ".join(capfd.readouterr().out.split())
    assert "Anomalies" in shown and "label" in shown and "frame" in shown
