"""From what a person decided, by path, to fixes by content id."""

import hashlib
import re
import shutil

import pytest

from components.errors import UserError
from components.example_gen.fixes import DROP, RELABEL, Fix
from components.example_gen.reading.sources import open_source
from components.example_gen.relabelling import read_decisions

ODD = "dogs/\x1b[31m<b>&\n.png"


@pytest.fixture(scope="module")
def pets(tmp_path_factory, fill):
    """Two classes; `dogs/copy.png` is the same file as `cats/0.png`."""
    root = fill(tmp_path_factory.mktemp("pets"), {"cats": 3, "dogs": 3})
    shutil.copy(root / "cats/0.png", root / "dogs/copy.png")
    shutil.copy(root / "dogs/0.png", root / ODD)
    with (root / ODD).open("ab") as file:
        file.write(b"more")
    return root


@pytest.fixture
def decide(pets, tmp_path):
    """`decide(csv)` gives the fixes."""

    def decide(text: str):
        path = tmp_path / "fixes.csv"
        path.write_bytes(text.encode())
        return read_decisions(str(path), open_source(str(pets), tmp_path), "pets")

    return decide


def content_id(pets, path: str) -> str:
    return hashlib.sha256((pets / path).read_bytes()).hexdigest()


def test_a_label_may_be_written_in_decomposed_unicode(tmp_path, fill):
    root = fill(tmp_path / "pets", {"H\u00fcnd": 1, "cats": 1})
    (tmp_path / "fixes.csv").write_text("path,label\ncats/0.png,Hu\u0308nd\n", encoding="utf-8")
    source = open_source(str(root), tmp_path)
    (fix,) = read_decisions(str(tmp_path / "fixes.csv"), source, "pets").values()
    assert fix == Fix(RELABEL, "H\u00fcnd", "cats/0.png")


def test_pictures_are_named_by_content(decide, pets):
    fixes = decide(
        "path,label,action\ncats/1.png,dogs,\ndogs/2.png,,drop\ncats/2.png,dogs, Relabel \n"
    )
    assert fixes == {
        content_id(pets, "cats/1.png"): Fix(RELABEL, "dogs", "cats/1.png"),
        content_id(pets, "dogs/2.png"): Fix(DROP, "", "dogs/2.png"),
        content_id(pets, "cats/2.png"): Fix(RELABEL, "dogs", "cats/2.png"),
    }


def test_what_the_search_for_wrong_labels_writes_is_taken(decide, pets):
    text = "\ufeffpath,given,suggested,score\r\ncats/1.png,cats,dogs,0.001\r\n"
    assert decide(text) == {content_id(pets, "cats/1.png"): Fix(RELABEL, "dogs", "cats/1.png")}


def test_pictures_may_be_dropped_without_a_word_about_classes(decide, pets):
    assert decide("path,action\ncats/1.png,DROP\n") == {
        content_id(pets, "cats/1.png"): Fix(DROP, "", "cats/1.png")
    }


def test_spaces_in_the_head_and_empty_lines_do_not_matter(decide, pets):
    text = " path , label\n\ncats/1.png,dogs\n\ncats/2.png,dogs\n"
    assert {fix.path for fix in decide(text).values()} == {"cats/1.png", "cats/2.png"}


def test_odd_names_are_found(decide, pets):
    assert decide(f'path,label\n"{ODD}",cats\n') == {
        content_id(pets, ODD): Fix(RELABEL, "cats", ODD)
    }


def test_a_row_twice_is_one_fix(decide):
    assert len(decide("path,label\ncats/1.png,dogs\ncats/1.png,dogs\n")) == 1
    assert len(decide("path,label\ncats/0.png,dogs\ndogs/copy.png,dogs\n")) == 1, "two copies"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "picture,label\nx,y\n",
            "has no column path: expected path in its first line, which",
        ),
        ("path,class\ncats/1.png,dogs\n", "has no column label: expected path and label, or"),
        ("path,label\n", "has no row: expected one for each picture to fix"),
        ("path,label\ncats/1.png,dog\n", "line 2: there is no class 'dog' (did you mean `dogs`?)"),
        ("path,label\ncats/1.png,\n", "line 2: there is no class ''"),
        ("path,label,suggested\ncats/1.png,,dogs\n", "line 2: there is no class ''"),
        ("path,action\ncats/1.png,relabel\n", "line 2: there is no class ''"),
        ("path,label\ncats/1.png,<i>\x1b[2J\n", r"line 2: there is no class '<i>\x1b[2J'"),
        ("path,label,action\ncats/1.png,dogs,delete\n", "the action is 'delete': expected relabel"),
        ("path,label\n,dogs\n", "line 2: no path"),
        (
            "path,label\ncats/1.png,dogs\ncats/1.png,cats\n",
            "line 3: cats/1.png has `relabel cats`, and `relabel dogs` in line 2",
        ),
        (
            "path,label,action\ncats/0.png,dogs,\ndogs/copy.png,,drop\n",
            "line 3: dogs/copy.png is the same picture as cats/0.png in line 2, of which it says "
            "`relabel dogs`, not `drop`. Nothing was changed",
        ),
        (
            "path,label\ncats/0.png,dogs\ndogs/copy.png,cats\n",
            "of which it says `relabel dogs`, not `relabel cats`",
        ),
        (
            "path,label\ncats/1.png,dogs\n" + "".join(f"cats/{n}\x1b.png,dogs\n" for n in "9786"),
            r"4 of its 5 pictures are not in data.source pets, the first of them cats/9\x1b.png "
            r"(line 3), cats/7\x1b.png (line 4), cats/8\x1b.png (line 5): expected paths as",
        ),
        ("path,label\ncats/7\x1b.png,dogs\n", r"the first of them cats/7\x1b.png (line 2): "),
    ],
)
def test_mistakes_are_told_with_their_line(decide, text, says):
    with pytest.raises(UserError, match=re.escape(says)) as caught:
        decide(text)
    assert "fixes.csv" in str(caught.value) and "\x1b" not in str(caught.value)


def test_a_picture_that_cannot_be_read_is_named(pets, tmp_path):
    manifest = pets / "pets.csv"
    rows = ["path,label", "cats/1.png,cats", "cats/gone.png,cats", "dogs/1.png,dogs"]
    manifest.write_text("\n".join(rows))
    (tmp_path / "fixes.csv").write_text("path,label\ncats/gone.png,dogs\n")
    source = open_source(str(manifest), tmp_path)
    with pytest.raises(UserError, match=r"line 2: cats/gone\.png cannot be read: No such file"):
        read_decisions(str(tmp_path / "fixes.csv"), source, "pets.csv")
    manifest.unlink()


def test_a_name_that_stands_for_two_files_is_both_of_them(tmp_path, fill):
    root = fill(tmp_path / "pets", {"cats": 2, "dogs": 1})
    names = ["caf\udce8.png", "caf\udce9.png"]  # bytes that are not UTF-8
    for number, name in enumerate(names):
        (root / f"cats/{number}.png").rename(root / "cats" / name)
    (tmp_path / "fixes.csv").write_text("path,label\ncats/caf\ufffd.png,dogs\n", encoding="utf-8")
    fixes = read_decisions(str(tmp_path / "fixes.csv"), open_source(str(root), tmp_path), "pets")
    assert set(fixes) == {content_id(root, f"cats/{name}") for name in names}
