"""`graft predict` on a stand-in, whole and damaged."""

import shutil

import pytest

from components.classes import write_classes
from pipeline.commands.predict import predict_pictures


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A SavedModel that says `cat` to whatever it is sent, unless that is empty."""
    import tensorflow as tf

    class StandIn(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def serve(self, image_bytes):
            tf.debugging.assert_positive(tf.strings.length(image_bytes))
            return {
                "label": tf.constant(["cat"]),
                "probability": tf.constant([0.8]),
                "probabilities": tf.constant([[0.8, 0.2]]),
                "classes": tf.constant([["cat", "dog"]]),
            }

    module = StandIn()
    folder = tmp_path_factory.mktemp("model") / "7"
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    write_classes(folder, ["cat", "dog"])
    return folder


def test_every_picture_gets_a_line_and_one_that_cannot_be_read_is_exit_code_1(
    model, tmp_path, capfd
):
    for name, content in {"good.jpg": b"x", "empty.jpg": b""}.items():
        (tmp_path / name).write_bytes(content)
    assert predict_pictures([tmp_path / "good.jpg"], "", [], model, False) == 0
    assert "0.800" in capfd.readouterr().out
    pictures = [tmp_path / name for name in ("good.jpg", "empty.jpg", "missing.jpg")]
    assert predict_pictures(pictures, "", [], model, False) == 1
    shown = capfd.readouterr().out
    assert "2 of 3 could not be classified" in shown and "No such file" in shown


@pytest.mark.parametrize("part", ["variables", "saved_model.pb"])
def test_a_damaged_model_is_one_line_that_names_it(model, tmp_path, part):
    folder = tmp_path / "7"
    shutil.copytree(model, folder)
    if part == "variables":
        shutil.rmtree(folder / part)
    else:
        (folder / part).write_bytes(b"garbage")
    with pytest.raises(ValueError, match=rf"{folder}.* is damaged, or no ") as error:
        predict_pictures([], "", [], folder, False)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ValueError, match=rf"--model: {tmp_path} holds no saved_model\.pb"):
        predict_pictures([], "", [], tmp_path, False)
