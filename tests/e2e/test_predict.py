"""`graft predict` asks a version that a run has pushed."""

import csv
import io
import json

import numpy as np
import pytest
import tensorflow as tf
import yaml
from PIL import Image

from pipeline.commands.predict import predict_pictures

SHAPES = ("bar", "disc", "frame")


@pytest.fixture
def config(recipe, pushed, tmp_path) -> str:
    """The recipe as a file, by which its served version is found."""
    path = tmp_path / "shapes.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json", exclude_unset=True)))
    return str(path)


@pytest.fixture
def pictures(tmp_path, draw) -> dict[str, bytes]:
    """Files of a folder, with a damaged one among them."""
    folder = tmp_path / "new"
    folder.mkdir()
    files = {
        f"{name}-{seed}.jpg": draw(name, 90_000 + seed) for name in SHAPES for seed in range(8)
    }
    files["damaged.jpg"] = files["bar-0.jpg"][:100]
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return {str(folder / name): data for name, data in sorted(files.items())}


def test_its_answers_are_those_of_the_saved_model(config, pictures, pushed, tmp_path, capfd):
    folder, sheet = str(tmp_path / "new"), tmp_path / "sheet.png"
    code = predict_pictures([folder], config, [], None, False, "json", sheet, explain=True)
    assert code == 1, "one file has no answer"
    out, err = capfd.readouterr()
    found = {one["path"]: one for one in map(json.loads, out.splitlines())}
    assert list(found) == list(pictures)
    (damaged,) = [path for path, one in found.items() if "error" in one]
    assert damaged.endswith("damaged.jpg") and found.pop(damaged)["error"] == "damaged JPEG"
    assert "1 of 25 could not be classified" in err
    assert "no signature `explain`" in err, "of 32 px the network makes a map of one pixel"

    serve = tf.saved_model.load(str(pushed)).signatures["serving_default"]
    answer = serve(tf.constant([pictures[path] for path in found]))
    assert [one["label"] for one in found.values()] == [a.decode() for a in answer["label"].numpy()]
    named = [answer["classes"].numpy()[0].tolist().index(name.encode()) for name in SHAPES]
    ours = [[one["probabilities"][name] for name in SHAPES] for one in found.values()]
    assert np.allclose(ours, answer["probabilities"].numpy()[:, named], atol=1e-5)

    with Image.open(sheet) as drawn:
        pixels = np.asarray(drawn.convert("RGB"), int)
    assert np.ptp(pixels[60:170, 20:140].mean(axis=-1)) > 80, "a bright shape on a dark ground"

    assert predict_pictures([folder], config, [], None, False, "csv") == 1
    rows = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert [row["label"] for row in rows if not row["error"]] == [
        one["label"] for one in found.values()
    ]
