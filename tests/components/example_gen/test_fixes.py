"""The overlay of fixes: what is written is read, and what is none is refused with its line."""

import re

import pytest

from components.errors import UserError
from components.example_gen.fixes import (
    DROP,
    RELABEL,
    Fix,
    check_classes,
    check_found,
    read_fixes,
    write_fixes,
)

pytestmark = pytest.mark.one_line

A, B, C, D = (letter * 64 for letter in "abcd")
HEAD = "image_id,action,label,path\n"


def test_what_is_written_is_read(tmp_path):
    fixes = {
        B: Fix(DROP, "", 'cats/a,b "c"\r\n\x1b[31m<b>.jpg'),
        D: Fix(DROP, "", "cats/1.jpg"),
        A: Fix(RELABEL, "süße Hunde", "cats/1.jpg"),
        C: Fix(RELABEL, "Katzen", "cats/1.jpg"),
    }
    path = tmp_path / "fruit.fixes.csv"
    write_fixes(path, fixes)
    assert read_fixes(str(path)) == fixes
    assert path.read_bytes().startswith(HEAD.encode()), "lines end as on Linux"
    ids = [line.partition(",")[0] for line in path.read_text().splitlines()[1:4]]
    assert ids == [A, C, D], "by path, and of one path by content"
    assert path.read_text().splitlines()[1] == f"{A},relabel,süße Hunde,cats/1.jpg"


def test_without_a_path_there_are_none():
    assert read_fixes("") == {}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("path,label\nx,y\n", "has no column image_id and no column action: expected image_id, "),
        ("", "has no column image_id"),
        (f"{HEAD}{A},relabel,cats\n", "line 2: 3 values under 4 columns"),
        (f"{HEAD}{A},drop,,x,y\n", "line 2: 5 values under 4 columns"),
        (f"{HEAD}{A[1:]},drop,,x\n", "line 2: the image_id is 'aaa"),
        (f"{HEAD}{A}a,drop,,x\n", "line 2: the image_id is 'aaa"),
        (f"{HEAD}{A},delete,,x\n", "line 2: expected the action `relabel` with a label, or `drop`"),
        (f"{HEAD}{A},relabel,,x\n", "not 'relabel' with ''"),
        (f"{HEAD}{A},drop,cats,x\n", "not 'drop' with 'cats'"),
        (f"{HEAD}{A},drop,,x\n{A},drop,,x\n", "line 3: the picture is there twice: x"),
        (f'{HEAD}{A},drop,,"x', "cannot be read as a CSV file in UTF-8: unexpected end of data"),
        (b"\xff\xfe", "cannot be read as a CSV file in UTF-8"),
    ],
)
def test_what_is_no_overlay_is_refused(content, says, tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=rf"^data\.fixes .*x\.csv.*{re.escape(says)}"):
        read_fixes(str(path))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"^data\.fixes .*gone\.csv does not exist$"):
        read_fixes(str(tmp_path / "gone.csv"))


def test_a_class_that_is_not_there_is_told_with_the_nearest():
    fixes = {A: Fix(RELABEL, "catz", "x\x1b.jpg")}
    with pytest.raises(UserError, match=r"no class 'catz' \(did you mean `cats`\?\).*x\\x1b\.jpg"):
        check_classes(fixes, ["cats", "dogs"], "f.csv")
    check_classes({A: Fix(RELABEL, "cats", ""), B: Fix(DROP, "", "")}, ["cats", "dogs"], "f.csv")


def test_classes_are_told_apart_by_case():
    with pytest.raises(UserError, match="no class 'Cats'"):
        check_classes({A: Fix(RELABEL, "Cats", "")}, ["cats", "dogs"], "f.csv")


def test_fixes_of_pictures_that_are_gone_say_how_many_and_the_first():
    fixes = {f"{n:064x}": Fix(DROP, "", f"cats/{n}.jpg") for n in reversed(range(9))}
    check_found(fixes, set(fixes), "f.csv", "/pets")
    with pytest.raises(UserError, match=r"f\.csv: 1 of its 9 pictures .* /pets, .* cats/0\.jpg: "):
        check_found(fixes, set(fixes) - {f"{0:064x}"}, "f.csv", "/pets")
    with pytest.raises(UserError, match=r"9 of its 9 .* cats/0\.jpg, cats/1\.jpg, cats/2\.jpg: "):
        check_found(fixes, (), "f.csv", "/pets")


def test_a_folder_in_place_of_the_file_is_told(tmp_path):
    says = r"^data\.fixes .* cannot be read as a CSV file in UTF-8: Is a directory$"
    with pytest.raises(UserError, match=says):
        read_fixes(str(tmp_path))
