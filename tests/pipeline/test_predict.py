"""`graft predict` on a stand-in: what it takes, what it prints, what it does with damage."""

import csv
import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from components.classes import write_classes
from components.errors import UserError
from pipeline.commands import predict, predict_model
from pipeline.commands.predict import predict_pictures
from pipeline.commands.predict_model import Model

HOSTILE = "<b>\"'\u202e\x1b[31m"


def save_stand_in(folder, classes=("cat", "dog"), beside=False):
    """A SavedModel for which the number of bytes says how sure it is; it refuses what is empty.

    Args:
        folder: to write to.
        classes: two names.
        beside: whether it says `unsure` and `in_label_set`, and has the signature `explain`.
    """
    import tensorflow as tf

    class StandIn(tf.Module):
        def answer(self, image_bytes):
            lengths = tf.strings.length(image_bytes)
            tf.debugging.assert_positive(lengths)
            first = tf.cast(lengths, tf.float32) / 10.0
            probabilities = tf.stack([first, 1.0 - first], axis=1)
            names = tf.constant(list(classes))
            answers = {
                "label": tf.gather(names, tf.argmax(probabilities, axis=1)),
                "probability": tf.reduce_max(probabilities, axis=1),
                "probabilities": probabilities,
                "classes": tf.repeat(names[None], tf.shape(probabilities)[0], axis=0),
            }
            if beside:
                answers["unsure"] = tf.abs(first - 0.5) < 0.15
                answers["in_label_set"] = probabilities > 0.35
            return answers

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def serve(self, image_bytes):
            return self.answer(image_bytes)

    module = StandIn()
    signatures = {"serving_default": module.serve}
    if beside:

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def explain(image_bytes):
            maps = tf.ones([tf.shape(image_bytes)[0], 3, 3])
            return {**module.answer(image_bytes), "heat_map": maps}

        signatures["explain"] = explain
    tf.saved_model.save(module, str(folder), signatures=signatures)
    write_classes(folder, classes)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Says no more than it must."""
    return save_stand_in(tmp_path_factory.mktemp("model") / "7")


@pytest.fixture(scope="module")
def full_model(tmp_path_factory):
    """Says all that there is, and its classes are hostile."""
    folder = tmp_path_factory.mktemp("model") / "8"
    return save_stand_in(folder, ("cat", f"dog{HOSTILE}"), beside=True)


def ask(model, pictures, output="table", **options):
    names = [str(picture) for picture in pictures]
    return predict_pictures(names, "", [], model, False, output, **options)


@pytest.fixture
def pictures(tmp_path):
    """Two files that get an answer; between them one that gets none, and one that is not there."""
    for name, content in {"sure.jpg": b"x" * 9, "torn.jpg": b"x" * 6, "empty.jpg": b""}.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in ("sure.jpg", "empty.jpg", "missing.jpg", "torn.jpg")]


def test_every_picture_gets_a_line_and_one_that_cannot_be_read_is_exit_code_1(
    model, pictures, capfd
):
    assert ask(model, pictures[:1]) == 0
    assert "0.900" in capfd.readouterr().out
    assert ask(model, pictures) == 1
    shown = capfd.readouterr().out
    assert re.search(r"\n4 pictures in \d\.\d s, 2 of 4 could not be classified\n", shown)
    lines = [line for line in shown.splitlines() if ".jpg" in line]
    assert [line.split()[0] for line in lines] == ["cat", "empty", "No", "cat"]
    assert [line.endswith(str(p)) for line, p in zip(lines, pictures, strict=True)] == [True] * 4


def test_of_a_batch_only_those_are_refused_that_the_model_refuses(model, tmp_path, capfd):
    for number in range(70):
        (tmp_path / f"{number:02}.png").write_bytes(b"" if number in (0, 7, 8, 69) else b"x" * 8)
    assert ask(model, [tmp_path], "csv") == 1
    rows = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert [int(row["path"][-6:-4]) for row in rows] == list(range(70)), "in their order"
    assert [int(r["path"][-6:-4]) for r in rows if r["error"] == "empty file"] == [0, 7, 8, 69]
    assert {(r["label"], r["probability"]) for r in rows if not r["error"]} == {("cat", "0.800000")}


def test_where_no_file_can_be_read_the_model_is_not_asked(model, tmp_path, capfd):
    assert ask(model, [tmp_path / "a.jpg", tmp_path / "b.jpg"]) == 1
    assert "2 of 2 could not be classified" in capfd.readouterr().out


def test_json_is_an_object_per_picture_and_nothing_else(full_model, pictures, capfd):
    assert ask(full_model, pictures, "json") == 1
    out, err = capfd.readouterr()
    sure, empty, missing, torn = map(json.loads, out.splitlines())
    other = f"dog{HOSTILE}"
    assert sure == {
        "path": str(pictures[0]),
        "label": "cat",
        "probability": pytest.approx(0.9),
        "probabilities": {"cat": pytest.approx(0.9), other: pytest.approx(0.1)},
        "unsure": False,
        "label_set": ["cat"],
    }
    assert torn["unsure"] and torn["label_set"] == ["cat", other]
    assert empty["error"] == "empty file" and missing["error"] == "No such file or directory"
    assert "2 of 4 could not be classified" in err and "1 unsure" in err


def test_of_what_a_model_does_not_say_nothing_is_made_up(model, pictures, capfd):
    assert ask(model, pictures[:1], "json") == 0
    out, err = capfd.readouterr()
    assert list(json.loads(out)) == ["path", "label", "probability", "probabilities"]
    assert "unsure" not in err
    assert ask(model, pictures[:1], "csv") == 0
    (row,) = csv.DictReader(io.StringIO(capfd.readouterr().out))
    assert row["unsure"] == row["label_set"] == ""
    assert ask(model, pictures[:1]) == 0
    assert capfd.readouterr().out.splitlines()[1].split() == [
        *("class", "probability", "next", "picture")
    ]


def test_csv_says_what_the_model_is_unsure_of_and_holds_no_control_characters(
    full_model, pictures, capfd
):
    ask(full_model, pictures, "csv")
    out = capfd.readouterr().out
    assert "\x1b" not in out and "\u202e" not in out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["unsure"] for row in rows] == ["false", "", "", "true"]
    assert rows[3]["label_set"] == "cat|dog<b>\"'\\u202e\\x1b[31m"


@pytest.mark.parametrize("output", ["table", "json", "csv"])
def test_no_name_of_a_file_steers_the_terminal(full_model, tmp_path, capfd, output):
    picture = tmp_path / f"{HOSTILE.replace('/', '')}[red]\n\udcff.jpg"
    picture.write_bytes(b"x" * 4)
    assert ask(full_model, [picture], output) == 0
    out, err = capfd.readouterr()
    for character in "\x1b\u202e\udcff":
        assert character not in out + err
    assert "[red]" in out, "no markup either"
    heading = {"table": 2, "csv": 1, "json": 0}[output]
    picture_lines = out.splitlines()[heading:]
    assert len(picture_lines) == (2 if output == "table" else 1)
    if output == "json":
        assert json.loads(out)["path"] == str(picture), "for programs it is the name itself"


def test_the_sheet_shows_every_picture_and_the_heat_maps(full_model, tmp_path, capfd):
    paths = [tmp_path / f"{number}.jpg" for number in range(12)]
    for number, path in enumerate(paths):
        Image.new("RGB", (40, 30), (20 * number, 90, 200)).save(path)
    sheet = tmp_path / "new" / "sheet.png"
    assert ask(full_model, paths, sheet=sheet, explain=True) == 0
    with Image.open(sheet) as drawn:
        rows, tile = 3, 128
        assert drawn.size[0] > 10 * tile and drawn.size[1] > rows * tile
        pixels = np.asarray(drawn.convert("RGB"), int)
    picture, heat_map = pixels[110, 60], pixels[110, 60 + 138]
    assert picture[2] > 150 and abs(picture[0] - picture[2]) > 100, "blue"
    assert heat_map[0] > 150 > heat_map[2], "where the map is 1 it glows"
    assert f"Contact sheet: {sheet}" in capfd.readouterr().out


def test_a_model_without_heat_maps_says_so_and_the_rest_goes_on(model, pictures, tmp_path, capfd):
    assert ask(model, pictures[:1], sheet=tmp_path / "s.png", explain=True) == 0
    assert "no signature `explain`" in capfd.readouterr().out
    assert (tmp_path / "s.png").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"explain": True}, "add --sheet FILE"),
        ({"sheet": "x.jpg"}, r"^--sheet x\.jpg: .* ends in \.png"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_loaded(monkeypatch, options, says):
    monkeypatch.setattr(predict, "redirect_output", None)
    if "sheet" in options:
        options["sheet"] = predict.Path(options["sheet"])
    with pytest.raises(ValueError, match=says):
        ask(None, ["x"], **options)


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("variables", None),
        ("variables/variables.data-00000-of-00001", b"x"),
        ("saved_model.pb", b"garbage"),
        ("saved_model.pb", b""),
    ],
)
def test_a_damaged_model_is_one_line_that_names_it(model, tmp_path, part, content):
    folder = tmp_path / "7"
    shutil.copytree(model, folder)
    if content is None:
        shutil.rmtree(folder / part)
    else:
        (folder / part).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{folder}.* (is damaged, or no|cannot be l)") as error:
        ask(folder, ["x.jpg"])
    assert "\n" not in str(error.value)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ValueError, match=rf"--model: {tmp_path} holds no saved_model\.pb"):
        ask(tmp_path, ["x.jpg"])


def test_what_there_is_to_say_at_the_end_stays_out_of_what_programs_read(
    full_model, pictures, capfd
):
    for output in ("csv", "json"):
        ask(full_model, pictures[:2], output)
        out, err = capfd.readouterr()
        assert "1 of 2 could not be classified" in err and "could not" not in out
    ask(full_model, pictures[:1], "table")
    out, err = capfd.readouterr()
    assert "1 picture in " in out and "signature" not in out and err == ""


def test_the_sheet_is_titled_with_the_model_that_was_asked(full_model, pictures, monkeypatch):
    titles = []
    monkeypatch.setattr("components.contact_sheet.draw", lambda title, *_: titles.append(title))
    monkeypatch.setattr("components.contact_sheet.write", lambda *_: None)
    ask(full_model, pictures[:1], sheet=predict.Path("s.png"))
    assert titles == [f"{full_model}: 1 picture"]


def test_a_model_that_explains_says_so_only_if_asked(full_model, pictures, tmp_path, capfd):
    assert ask(full_model, pictures[:1], sheet=tmp_path / "s.png", explain=True) == 0
    assert "no signature" not in capfd.readouterr().out
    assert not Model(full_model, explain=False).explains


def test_a_model_that_could_reach_out_is_not_loaded(model, monkeypatch):
    def refuse(key, folder):
        raise UserError(f"{key}: {folder} can reach out")

    monkeypatch.setattr(predict_model, "require_computing", refuse)
    with pytest.raises(UserError, match=rf"^--model: {model} can reach out"):
        ask(model, ["x.jpg"])


def test_without_a_served_model_the_command_that_makes_one_is_told(tmp_path):
    settings = [f"workspace={tmp_path}"]
    again = f"`graft run digits --set workspace={tmp_path}`"
    with pytest.raises(UserError, match=rf"digits/serving yet: {again} first, or name another"):
        predict_pictures(["x.jpg"], "digits", settings, None, False)


def test_nothing_is_left_where_the_command_was_started(model, pictures, monkeypatch, tmp_path):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert ask(model, pictures[:1]) == 0 and list((tmp_path / "here").iterdir()) == []
