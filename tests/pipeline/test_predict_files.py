"""What `graft predict` is asked about: files, folders, patterns and lists."""

import io
from pathlib import Path

import pytest

from pipeline.commands import predict_files


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in (
        "a.jpg",
        "b.PNG",
        "e.txt",
        "in/c.jpeg",
        "in/deep/d.gif",
        "in/f.txt",
        ".hidden/e.jpg",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "in" / "empty").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "listed", "found"),
    [
        (["b.PNG", "gone.jpg", "e.txt"], b"", ["b.PNG", "gone.jpg", "e.txt"]),
        (["x" * 300, "a.jpg"], b"", ["x" * 300, "a.jpg"]),  # longer than names may be
        (["in", "a.jpg"], b"", ["in/c.jpeg", "in/deep/d.gif", "a.jpg"]),
        (["*.jpg", "a.jpg"], b"", ["a.jpg"]),
        (["**/*.gif"], b"", ["in/deep/d.gif"]),
        (["in/*"], b"", ["in/c.jpeg", "in/deep/d.gif", "in/f.txt"]),
        (["-"], b"in/empty\nin/deep\n", ["in/deep/d.gif"]),
        (["-"], b"b.PNG\r\nin/deep\n\na b.jpg\n", ["b.PNG", "in/deep/d.gif", "a b.jpg"]),
        (["-"], b" a b.jpg \n\tc.jpg\n", [" a b.jpg ", "\tc.jpg"]),
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
        Path(names[7 * number % 30]).touch()
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
        (f"{'x' * 300}*.jpg", "no file matches"),  # as where nobody may look
        (".hidden/none", "holds no file that is named as a picture"),
    ],
)
@pytest.mark.usefixtures("tree")
def test_what_holds_no_picture_is_named(tmp_path, argument, says):
    (tmp_path / ".hidden" / "none").mkdir()
    with pytest.raises(ValueError, match=says):
        predict_files.expand([argument], io.BytesIO(b"\n"))


@pytest.mark.usefixtures("tree")
def test_of_several_folders_without_pictures_the_first_is_named(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=r"^in/empty: the folder holds no file .*\(") as error:
        predict_files.expand(["-"], io.BytesIO(b"in/empty\nnone\n"))
    suffixes = str(error.value).rpartition("(")[2].removesuffix(")").split(", ")
    assert suffixes == sorted(suffixes) and ".jpg" in suffixes
