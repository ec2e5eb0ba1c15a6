"""`graft validate`: what it says of a source, without a process of its own."""

import io
import os
import tempfile
from types import SimpleNamespace

import pytest
from rich.console import Console

from components.errors import UserError
from pipeline import preflight
from pipeline.commands import validate
from pipeline.commands.validate import validate_recipe


@pytest.fixture
def shown(tmp_path, monkeypatch, capfd, write_pictures):
    """`shown(*overrides)`: what is printed of seven pictures of three classes."""
    pictures = write_pictures(tmp_path / "pictures", per_class=2)
    (pictures / "bar" / "more.jpg").write_bytes((pictures / "bar" / "000.jpg").read_bytes())
    monkeypatch.setattr(preflight, "check_network", lambda _: None)
    monkeypatch.setattr(preflight, "foresee", lambda *_: ("a line", ["one note", "another note"]))

    def shown(*overrides: str) -> str:
        source = [f"data.source={pictures}", f"workspace={tmp_path / 'läufe'}"]
        validate_recipe("digits", [*source, "data.min_per_class=1", *overrides])
        return capfd.readouterr().out

    return shown


def test_files_are_counted_by_class_and_measured(shown, tmp_path):
    text = shown()
    assert text.startswith("name: digits\nseed: 0\nworkspace: "), "as a recipe is written"
    assert "läufe\n" in text
    size = sum(path.stat().st_size for path in (tmp_path / "pictures").rglob("*.jpg"))
    assert f"7 files, {validate.decimal(size)}\n" in text, "and no other files"
    lines = text.translate(str.maketrans("│┃", "  ")).splitlines()
    rows = [line.split() for line in lines if line[:1] == " "]
    assert rows[-4:] == [["class", "pictures"], ["bar", "3"], ["disc", "2"], ["frame", "2"]]


def test_what_can_be_foreseen_is_said_to_the_last_note(shown, monkeypatch):
    monkeypatch.setattr(validate.checks, "security_notices", lambda _: ["it may be read", "so may"])
    text = shown()
    assert (
        "a line\nNote: one note\nNote: another note\nNote: it may be read\nNote: so may\n" in text
    )


def test_pictures_without_labels_are_counted_by_themselves(shown, tmp_path):
    folder = tmp_path / "pictures" / "disc"
    assert f"2 files without labels in {folder}" in shown(f"pseudo_labels.source={folder}")
    assert "without labels" not in shown()


def test_of_missing_files_the_first_is_named(shown, tmp_path):
    manifest = tmp_path / "pictures" / "labels.csv"
    rows = [
        "path,label",
        "bar/000.jpg,bar",
        "disc/000.jpg,disc",
        "gone/1.jpg,bar",
        "gone/2.jpg,bar",
    ]
    manifest.write_text("\n".join(rows))
    said = " ".join(shown(f"data.source={manifest}").split())
    assert "Note: 2 file(s) are not there and will be set aside, as gone/1.jpg" in said


def test_each_split_that_the_source_brings_has_its_column():
    counts = {"train": {"a": 1200, "b": 2}, "test": {"a": 3, "b": 0}}
    source = SimpleNamespace(counts=lambda: counts, classes=("a", "b"))
    console = Console(file=io.StringIO(), width=80)
    console.print(validate._source_table("[red]", source))
    lines = console.file.getvalue().replace("┃", "│").splitlines()
    cells = [line.split("│")[1:-1] for line in lines if "│" in line]
    assert cells == [
        [" class ", " train ", " test "],
        [" a     ", " 1,200 ", "    3 "],
        [" b     ", "     2 ", "    0 "],
    ]
    assert "[red]" in console.file.getvalue()


def test_what_a_manifest_holds_beside_paths_and_labels_is_told(shown, tmp_path):
    assert "say again" not in shown() and "Further columns" not in shown()
    manifest = tmp_path / "pictures" / "labels.csv"
    rows = ["bar/000.jpg,bar,me", "disc/000.jpg,disc,me", "bar/000.jpg,bar,me"]
    manifest.write_text("\n".join(["path,label,Taken by", *rows]))
    said = shown(f"data.source={manifest}")
    assert "Further columns, as features of the examples: Taken by as column_Taken_by\n" in said
    assert "1 row(s) say again what an earlier one said\n" in said


def test_pictures_that_no_served_model_takes_are_told_by_their_kind(shown, tmp_path):
    (tmp_path / "pictures" / "bar" / "phone.webp").touch()
    assert "Note: 1 WebP: they become PNG for training" in shown()


def test_what_is_imported_on_the_way_does_not_speak(shown, tmp_path, monkeypatch, capfd):
    def speak(recipe, source):
        os.write(2, b"words of TensorFlow\n")

    monkeypatch.setattr(preflight, "_check_slices", speak)
    source = [f"data.source={tmp_path / 'pictures'}", f"workspace={tmp_path}"]
    validate_recipe("digits", [*source, "data.min_per_class=1"])
    assert capfd.readouterr().err == ""


def test_what_is_no_picture_is_counted_and_left_alone(shown, tmp_path):
    assert "no pictures" not in shown()
    for name in ("notes.txt", "more.doc"):
        (tmp_path / "pictures" / "bar" / name).touch()
    assert "; 2 other file(s) are no pictures and left alone\n" in shown()


def test_a_network_that_cannot_be_made_is_told_and_nothing_stays_behind(
    shown, monkeypatch, tmp_path
):
    def refuse(recipe):
        raise UserError("no such network")

    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    shown()
    monkeypatch.setattr(preflight, "check_network", refuse)
    with pytest.raises(UserError, match="no such network"):
        shown()
    assert list((tmp_path / "scratch").iterdir()) == []
