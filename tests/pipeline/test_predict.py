"""`graft predict` on a stand-in: what it takes, what it prints, what it does with damage."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from components.classes import write_classes
from components.errors import UserError
from pipeline.commands import predict, predict_files, predict_model
from pipeline.commands.predict import predict_pictures
from pipeline.commands.predict_model import Answer, Model
from pipeline.commands.predict_output import Csv, JsonLines, Table, in_set
from pipeline.commands.predict_sheet import Sheet

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
    """Two files that get an answer, one that does not, and one that is not there."""
    for name, content in {"sure.jpg": b"x" * 9, "torn.jpg": b"x" * 6, "empty.jpg": b""}.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in ("sure.jpg", "empty.jpg", "torn.jpg", "missing.jpg")]


def test_every_picture_gets_a_line_and_one_that_cannot_be_read_is_exit_code_1(
    model, pictures, capfd
):
    assert ask(model, pictures[:1]) == 0
    assert "0.900" in capfd.readouterr().out
    assert ask(model, pictures) == 1
    shown = capfd.readouterr().out
    assert "2 of 4 could not be classified" in shown
    lines = [line for line in shown.splitlines() if ".jpg" in line]
    assert [line.split()[0] for line in lines] == ["cat", "empty", "cat", "No"]
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
    sure, empty, torn, missing = map(json.loads, out.splitlines())
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
    assert [row["unsure"] for row in rows] == ["false", "", "true", ""]
    assert rows[2]["label_set"] == "cat|dog<b>\"'\\u202e\\x1b[31m"


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


def test_behind_a_damaged_picture_the_pairs_of_a_sheet_stay_pairs(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("components.contact_sheet.draw", lambda _, parts, *__: drawn.extend(parts))
    monkeypatch.setattr("components.contact_sheet.write", lambda *_: None)
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    sheet = Sheet(["cat", "dog"], explained=True)
    probabilities = np.array([0.9, 0.1], np.float32)
    sheet.add(Answer(str(tmp_path / "b.png"), error="damaged PNG"))
    sheet.add(Answer(str(tmp_path / "a.png"), probabilities, heat_map=np.ones((3, 3))))
    sheet.write(tmp_path / "s.png", "m")
    captions = [tile.captions for tile in drawn[0].tiles]
    assert captions == [("damaged PNG", "b.png"), (), ("cat 0.900", "a.png"), ("→ cat",)]


def test_a_model_without_heat_maps_says_so_and_the_rest_goes_on(model, pictures, tmp_path, capfd):
    assert ask(model, pictures[:1], sheet=tmp_path / "s.png", explain=True) == 0
    assert "no signature `explain`" in capfd.readouterr().out
    assert (tmp_path / "s.png").exists()


def test_a_sheet_leaves_out_what_would_make_it_too_large(tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr("components.contact_sheet.draw", lambda title, *_: titles.append(title))
    monkeypatch.setattr("components.contact_sheet.write", lambda *_: None)
    monkeypatch.setattr("pipeline.commands.predict_sheet._MOST", 2)
    sheet = Sheet(["a", "b"], explained=False)
    for number in range(3):
        sheet.add(Answer(str(tmp_path / f"{number}"), error="not there"))
    sheet.write(tmp_path / "s.png", "m")
    assert titles == ["m: 2 of 3 pictures"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"explain": True}, "add --sheet FILE"),
        ({"sheet": "x.jpg"}, "ends in .png"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_loaded(monkeypatch, options, says):
    monkeypatch.setattr(predict, "redirect_output", None)
    if "sheet" in options:
        options["sheet"] = predict.Path(options["sheet"])
    with pytest.raises(ValueError, match=says):
        ask(None, ["x"], **options)


@pytest.mark.parametrize("part", ["variables", "saved_model.pb"])
def test_a_damaged_model_is_one_line_that_names_it(model, tmp_path, part):
    folder = tmp_path / "7"
    shutil.copytree(model, folder)
    if part == "variables":
        shutil.rmtree(folder / part)
    else:
        (folder / part).write_bytes(b"garbage")
    with pytest.raises(ValueError, match=rf"{folder}.* (is damaged, or no|cannot be l)") as error:
        ask(folder, ["x.jpg"])
    assert "\n" not in str(error.value)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ValueError, match=rf"--model: {tmp_path} holds no saved_model\.pb"):
        ask(tmp_path, ["x.jpg"])


# What is asked about.


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in ("a.jpg", "b.PNG", "notes.txt", "in/c.jpeg", "in/deep/d.gif", ".hidden/e.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "listed", "found"),
    [
        (["b.PNG", "gone.jpg", "notes.txt"], b"", ["b.PNG", "gone.jpg", "notes.txt"]),
        (["in", "a.jpg"], b"", ["in/c.jpeg", "in/deep/d.gif", "a.jpg"]),
        (["*.jpg", "a.jpg"], b"", ["a.jpg"]),
        (["**/*.gif"], b"", ["in/deep/d.gif"]),
        (["-"], b"b.PNG\r\nin/deep\n\na b.jpg\n", ["b.PNG", "in/deep/d.gif", "a b.jpg"]),
        (["-"], b"x\ny.jpg\0b.PNG\0", ["x\ny.jpg", "b.PNG"]),
        (["-"], b"x\r\0y.jpg", ["x\r", "y.jpg"]),
        (["-"], b"\xff.jpg\n", ["\udcff.jpg"]),
    ],
)
@pytest.mark.usefixtures("tree")
def test_files_folders_patterns_and_lists(arguments, listed, found):
    assert predict_files.expand(arguments, io.BytesIO(listed)) == found


def test_pictures_have_an_order_that_is_not_that_of_the_disk(tmp_path, monkeypatch):
    names = [str(tmp_path / f"{number:02}.jpg") for number in range(30)]
    for number in range(30):  # neither forwards nor backwards, as disks list what they hold
        predict.Path(names[7 * number % 30]).touch()
    real = predict_files.glob.glob
    monkeypatch.setattr(predict_files.glob, "glob", lambda *given, **how: real(*given, **how)[::-1])
    assert predict_files.expand([str(tmp_path / "*.jpg")], io.BytesIO()) == names
    inner = tmp_path / "10" / "a.jpg"
    inner.parent.mkdir()
    inner.touch()
    names.insert(11, str(inner))
    assert predict_files.expand([str(tmp_path)], io.BytesIO()) == names, "folders in between"


@pytest.mark.usefixtures("tree")
def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    (tmp_path / "a[1].jpg").touch()
    assert predict_files.expand(["a[1].jpg"], io.BytesIO()) == ["a[1].jpg"]


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("-", "the list on standard input is empty"),
        ("*.webp", r"\*\.webp: no file matches"),
        (".hidden/none", "holds no file that is named as a picture"),
    ],
)
@pytest.mark.usefixtures("tree")
def test_what_holds_no_picture_is_named(tmp_path, argument, says):
    (tmp_path / ".hidden" / "none").mkdir()
    with pytest.raises(ValueError, match=says):
        predict_files.expand([argument], io.BytesIO(b"\n"))


# What is printed.

LONG = [f"a class with a long name, number {number}" for number in range(1000)]


def answer(classes, path, **options):
    probabilities = np.full(len(classes), 0.5 / len(classes), np.float32)
    probabilities[1] = 0.5
    return Answer(path, probabilities, **options)


@pytest.mark.parametrize("label_sets", [False, True])
def test_a_table_fits_80_columns_of_a_terminal_and_keeps_the_end_of_a_path(label_sets):
    table = Table(LONG, True, label_sets, 80)
    path = f"/some/{'folder/' * 20}picture.jpg"
    inside = np.arange(1000) < 500
    row = table.row(answer(LONG, path, unsure=True, label_set=inside if label_sets else None))
    assert len(row) <= 80 and len(table.heading()) <= 80
    assert row.endswith("icture.jpg") and " unsure " in row
    assert len(table.row(Answer(path, error="why " * 50))) <= 80


def test_a_table_for_a_program_never_cuts_a_path():
    path = f"/some/{'folder/' * 20}picture.jpg"
    for row in (answer(LONG, path), Answer(path, error="damaged JPEG")):
        assert Table(LONG, False, False, None).row(row).endswith(f"  {path}")


def test_columns_line_up_under_wide_characters():
    from rich.cells import cell_len

    for first in ("猫", "猫" * 7):
        table = Table([first, "a\u202eb"], False, False, None)
        lines = [table.heading(), table.row(Answer("PATH", np.array([0.7, 0.3], np.float32)))]
        ends = [line.index(word) for line, word in zip(lines, ("picture", "PATH"), strict=True)]
        assert cell_len(lines[0][: ends[0]]) == cell_len(lines[1][: ends[1]])
        assert lines[1].startswith(f"{first} ")


def test_of_a_label_set_the_most_probable_class_stands_first():
    inside = np.array([True, False, True])
    said = Answer("p", np.array([0.3, 0.1, 0.6], np.float32), label_set=inside)
    assert in_set(said, ["a", "b", "c"]) == ["c", "a"]


def test_a_probability_that_is_no_number_is_null():
    row = JsonLines(["a", "b"]).row(Answer("p", np.array([np.nan, 0.5], np.float32)))
    assert "NaN" not in row and json.loads(row)["probabilities"] == {"a": None, "b": 0.5}


def test_csv_has_the_same_columns_for_every_model():
    row = next(csv.reader([Csv(["a", "b"]).row(Answer("p", np.array([0.2, 0.8], np.float32)))]))
    assert dict(zip(Csv.COLUMNS, row, strict=True)) == {
        "path": "p", "label": "b", "probability": "0.800000", "next": "a",
        "next_probability": "0.200000", "unsure": "", "label_set": "", "error": "",
    }  # fmt: skip


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
