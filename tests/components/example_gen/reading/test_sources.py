import dataclasses
import os
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import UserError
from components.example_gen.config import DataSettings
from components.example_gen.reading import sources
from components.example_gen.reading.source import Item, Source
from components.example_gen.reading.walk import to_utf8
from components.text import printable


def _touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    return root


def _paths(source):
    return [item.path for item in source.items]


def test_one_folder_per_class(tmp_path):
    _touch(
        tmp_path, "dogs/b.JPG", "dogs/sub/deep/a.png", "cats/c.tiff", "cats/notes.txt", "labels.csv"
    )
    source = sources.list_folder(tmp_path)
    assert source.classes == ("cats", "dogs")
    assert _paths(source) == ["cats/c.tiff", "dogs/b.JPG", "dogs/sub/deep/a.png"]
    assert [item.label for item in source.items] == ["cats", "dogs", "dogs"]
    assert source.splits == frozenset()
    assert source.ignored == 2
    assert source.total_bytes == 3
    assert source.counts() == {None: {"cats": 1, "dogs": 2}}


@pytest.mark.parametrize("validation", ["validation", "val", "Valid"])
def test_split_folders(tmp_path, validation):
    _touch(tmp_path, "Train/a/1.jpg", "Train/b/1.jpg", f"{validation}/a/1.jpg", "README.md")
    source = sources.list_folder(tmp_path)
    assert source.classes == ("a", "b")
    assert source.splits == {"train", "validation"}
    assert source.counts() == {"train": {"a": 1, "b": 1}, "validation": {"a": 1, "b": 0}}


def test_files_that_are_no_pictures_are_counted_wherever_they_lie(tmp_path):
    _touch(tmp_path, "README.md", "train/notes.txt", "train/a/1.jpg", "train/a/notes.txt")
    _touch(tmp_path, "train/b/1.jpg", "test/a/1.jpg", "test/a/more/notes.txt")
    assert sources.list_folder(tmp_path).ignored == 4


def test_a_class_may_be_called_train(tmp_path):
    _touch(tmp_path, "train/1.jpg", "bus/1.jpg")
    assert sources.list_folder(tmp_path).classes == ("bus", "train")


def test_hidden_files_and_clutter_do_not_exist(tmp_path):
    _touch(tmp_path, "a/1.jpg", "b/1.jpg", ".git/x.jpg", "__MACOSX/a/1.jpg", ".DS_Store")
    _touch(tmp_path, "a/._1.jpg", "a/Thumbs.db", "b/.hidden/2.jpg", "b/desktop.ini")
    source = sources.list_folder(tmp_path)
    assert _paths(source) == ["a/1.jpg", "b/1.jpg"]
    assert source.ignored == 0


def test_spaces_and_non_ascii_letters(tmp_path):
    decomposed = unicodedata.normalize("NFD", "Kätzchen")
    _touch(
        tmp_path, f"train/{decomposed}/ein süßes Bild.jpg", "train/犬/1.jpg", "test/Kätzchen/2.jpg"
    )
    source = sources.list_folder(tmp_path)
    assert source.classes == ("Kätzchen", "犬")
    assert source.counts()["test"] == {"Kätzchen": 1, "犬": 0}


def test_names_that_are_not_utf8(tmp_path):
    _touch(tmp_path, "a/1.jpg", "b/1.jpg")
    odd = os.path.join(os.fsencode(tmp_path), b"a", b"caf\xe9.jpg")
    with open(odd, "wb"):
        pass
    source = sources.list_folder(tmp_path)
    path = next(path for path in _paths(source) if "caf" in path)
    assert (tmp_path / path).exists()
    assert to_utf8(path) == "a/caf\ufffd.jpg"
    assert len(sources.fingerprint(source)) == 64


def test_links(tmp_path):
    _touch(tmp_path, "data/a/1.jpg", "data/b/1.jpg", "elsewhere/2.jpg")
    data = tmp_path / "data"
    (data / "a/loop").symlink_to(data / "a")
    (data / "a/everything").symlink_to(data)
    (data / "a/above").symlink_to(tmp_path)
    (data / "a/self.jpg").symlink_to("self.jpg")
    (data / "b/more").symlink_to(tmp_path / "elsewhere")
    (data / "b/gone.jpg").symlink_to(tmp_path / "gone.jpg")
    (data / "b/here.jpg").symlink_to(tmp_path / "elsewhere/2.jpg")
    (data / "b/empty.jpg").touch()
    source = sources.list_folder(data)
    # Broken links are listed, so that somebody is told about them.
    broken = ["a/self.jpg", "b/gone.jpg"]
    others = ["a/1.jpg", "b/1.jpg", "b/empty.jpg", "b/here.jpg", "b/more/2.jpg"]
    assert _paths(source) == sorted(broken + others)
    empty = {item.path for item in source.items if not item.size}
    assert empty == {*broken, "b/empty.jpg"}
    assert [item.path for item in source.missing] == broken


@pytest.mark.parametrize(
    ("link", "target", "classes"),
    [
        ("puppies", "dogs", "dogs and puppies"),
        ("cats/more", "dogs", "cats and dogs"),
        ("dogs/more", "elsewhere", "cats and dogs"),
    ],
)
def test_one_folder_is_not_two_classes(tmp_path, link, target, classes):
    _touch(tmp_path, "data/cats/1.jpg", "data/dogs/1.jpg", "data/elsewhere/1.jpg")
    data = tmp_path / "data"
    (data / "elsewhere").rename(tmp_path / "elsewhere")
    (data / "cats/beside").symlink_to(tmp_path / "elsewhere")
    (data / link).symlink_to(tmp_path / target if target == "elsewhere" else data / target)
    with pytest.raises(UserError, match=f"the class folders {classes} are, or hold, one folder"):
        sources.list_folder(data)


def test_one_folder_is_not_two_splits(tmp_path):
    _touch(tmp_path, "train/cats/1.jpg", "train/dogs/1.jpg")
    (tmp_path / "test").symlink_to(tmp_path / "train")
    with pytest.raises(UserError, match="folders test/cats and train/cats are, or hold, one"):
        sources.list_folder(tmp_path)


def test_folders_nested_without_end_are_told(tmp_path):
    _touch(tmp_path, "a/1.jpg", "b/1.jpg")
    deep = [tmp_path / "a"]
    for _ in range(1500):
        deep.append(deep[-1] / "d")
        deep[-1].mkdir()
    try:
        with pytest.raises(UserError, match=r"nested more than 100 deep in .*/a: move"):
            sources.list_folder(tmp_path)
    finally:
        for folder in reversed(deep[1:]):  # deeper than shutil.rmtree goes
            folder.rmdir()


@pytest.mark.parametrize("depth", [100, 101])
def test_the_deepest_folder_that_is_read(tmp_path, depth):
    _touch(tmp_path, f"a/{'d/' * depth}1.jpg", "b/1.jpg")
    if depth == 100:
        assert len(sources.list_folder(tmp_path).items) == 2
    else:
        with pytest.raises(UserError, match="nested more than 100 deep"):
            sources.list_folder(tmp_path)


# What a file or folder on Linux may be called; `.` hides it.
names = (
    st.binary(min_size=1, max_size=24)
    | st.text("ab\n\r\x1b\u202e\u200d\u0085 é\u0301犬🐕/", min_size=1, max_size=8).map(str.encode)
).filter(lambda name: not {0, ord("/")} & set(name) and not name.startswith(b"."))


@settings(max_examples=150, deadline=None)
@given(folders=st.lists(names, min_size=1, max_size=3, unique=True), file=names)
def test_any_names_are_listed_or_refused_in_one_printable_line(folders, file):
    with tempfile.TemporaryDirectory() as root:
        for folder in map(os.fsdecode, folders):
            Path(root, folder).mkdir()
            Path(root, folder, f"{os.fsdecode(file)}.jpg").touch()
        try:
            source = sources.list_folder(root)
        except UserError as error:
            assert printable(str(error)) == str(error)
            assert len(str(error)) < 1500
        else:
            assert len(source.items) == len(folders)
            for name in source.classes:
                assert printable(name) == name and name.encode()
            for item in source.items:
                assert Path(root, item.path).exists()
                assert to_utf8(item.path).encode()


def test_folders_and_pipes_with_picture_names(tmp_path):
    _touch(tmp_path, "a/1.jpg", "b/x.jpg/2.jpg")
    os.mkfifo(tmp_path / "a/pipe.jpg")  # opening it would wait for ever
    source = sources.list_folder(tmp_path)
    assert _paths(source) == ["a/1.jpg", "b/x.jpg/2.jpg"]
    assert source.ignored == 1


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "holds no pictures"),
        (["notes.txt"], "holds no pictures"),
        (["train/notes.txt"], "holds no pictures"),
        (["cats/1.jpg"], r"has 1 class \(cats\)"),
        (["train/cats/1.jpg"], r"has 1 class \(cats\)"),
        (["a.jpg", "B.jpg"], r"2 picture\(s\) lie directly in .*, the first is B.jpg"),
        (
            ["1.jpg", "a/1.jpg", "b/1.jpg"],
            "the first is 1.jpg: expected one folder of pictures per",
        ),
        (["train/1.jpg", "train/a/1.jpg", "train/b/1.jpg"], "lie directly in .*/train, the first"),
        (["a/1.jpg", "b/1.jpg", "c/notes.txt"], "class folder .*/c holds no pictures"),
        (
            ["train/a/1.jpg", "train/b/1.jpg", *(f"val/{name}/1.jpg" for name in "fzeyh")],
            "validation/ has the class 'e' that train/ lacks; train/ has a, b",
        ),
        (["val/a/1.jpg", "test/b/1.jpg"], "has test and validation but no train"),
        (["test/a/1.jpg", "test/b/1.jpg"], "has test but no train: expected one folder"),
        (["train/a/1.jpg", "val/a/1.jpg", "extra/b/1.jpg"], r"beside others \(extra\)"),
        (["a\nb/1.jpg", "c/1.jpg"], r"'a\\nb' has a control character"),
        (["a\u202eb/1.jpg", "c/1.jpg"], r"'a\\u202eb' has a control character"),
        (["train/a/1.jpg", "train/b/1.jpg", "x\x1b[2J/c/1.jpg", "val/a/1.jpg"], r"\(x\\x1b\[2J\)"),
        (["\x1b[2J.jpg", "a/1.jpg", "b/1.jpg"], r"the first is \\x1b\[2J\.jpg"),
    ],
)
def test_layouts_that_are_refused(tmp_path, files, message):
    _touch(tmp_path, *files)
    with pytest.raises(ValueError, match=message) as error:
        sources.list_folder(tmp_path)
    assert str(error.value).isprintable()


def test_no_such_folder(tmp_path):
    with pytest.raises(
        ValueError,
        match=r"data\.source .*/nowhere does not exist: expected one folder.*--set data\.source=",
    ):
        sources.open_source(str(tmp_path / "nowhere"), tmp_path)


def test_a_file_of_an_unknown_kind(tmp_path):
    _touch(tmp_path, "pictures.rar")
    with pytest.raises(ValueError, match=r"rar is a file of an unknown kind: .*\.zip.*csv"):
        sources.open_source(str(tmp_path / "pictures.rar"), tmp_path)


def test_an_address_of_no_known_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match="ftp://bucket/pictures is a remote address"):
        sources.open_source("ftp://bucket/pictures", tmp_path)


def test_root_is_absolute(tmp_path, monkeypatch):
    _touch(tmp_path, "pictures/a/1.jpg", "pictures/b/1.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for spelling in ("pictures", "./pictures/", "~/pictures"):
        source = sources.list_folder(spelling)
        assert source.root == str(tmp_path / "pictures")
        assert _paths(source) == ["a/1.jpg", "b/1.jpg"]
    assert _paths(sources.list_folder("pictures/../pictures")) == ["a/1.jpg", "b/1.jpg"]


def test_the_root_of_all_folders_may_be_the_source(tmp_path):
    _touch(tmp_path, "1.jpg")
    (item,), _ = sources._list_pictures("/", str(tmp_path)[1:], "", None, {})
    assert item.path == str(tmp_path / "1.jpg")[1:]


def test_fingerprint_changes_with_the_pictures(tmp_path):
    _touch(tmp_path, "a/1.jpg", "b/1.jpg", "b/notes.txt")

    def now():
        return sources.fingerprint(sources.list_folder(tmp_path))

    seen = [now()]
    assert now() == seen[0]
    (tmp_path / "b/notes.txt").write_bytes(b"more notes")
    assert now() == seen[0]

    (tmp_path / "a/1.jpg").write_bytes(b"xy")
    os.utime(tmp_path / "a/1.jpg", ns=(0, 0))
    seen.append(now())
    os.utime(tmp_path / "a/1.jpg", ns=(0, 2))
    seen.append(now())
    (tmp_path / "a/1.jpg").rename(tmp_path / "a/2.jpg")
    seen.append(now())
    _touch(tmp_path, "b/2.jpg")
    seen.append(now())
    assert len(set(seen)) == len(seen)


_ITEM = Item("a/1.jpg", "a", "train", 3, 5, 7, ("x",))


@pytest.mark.parametrize(
    "change",
    [
        {"path": "a/2.jpg"},
        {"label": "b"},
        {"split": "test"},
        {"size": 4},
        {"mtime_ns": 6},
        {"position": 8},
        {"columns": ("y",)},
    ],
)
def test_fingerprint_changes_with_all_that_is_known_of_a_picture(change):
    def of(item):
        return sources.fingerprint(Source("/pets", ("a",), (item,), 0, columns=("site",)))

    assert of(dataclasses.replace(_ITEM, **change)) != of(_ITEM)


def test_fingerprint_changes_with_the_names_of_columns_and_not_with_the_place():
    def of(root, column):
        return sources.fingerprint(Source(root, ("a",), (_ITEM,), 0, columns=(column,)))

    assert of("/pets", "site") == of("/mnt/pets", "site") != of("/pets", "camera")


def test_pictures_come_in_the_order_of_the_bytes_of_their_paths(tmp_path):
    paths = ["Z/1.jpg", "a b/1.jpg", "a/B.jpg", "a/a.jpg", "a/more/1.jpg", "a/z.jpg", "b/ä.jpg"]
    _touch(tmp_path, *paths)
    assert _paths(sources.list_folder(tmp_path)) == paths
    assert _paths(sources.list_unlabelled(tmp_path)) == paths


@pytest.mark.parametrize("source", ["s3://bucket/pets", "gs://bucket/pets", "pets", "digits"])
def test_what_is_at_no_url_needs_no_digest(source):
    sources.check_address(source, DataSettings())


def test_an_empty_folder_holds_no_tfrecords(tmp_path):
    (tmp_path / "pets").mkdir()
    with pytest.raises(UserError, match="holds no pictures: expected one folder of pictures per"):
        sources.open_source(str(tmp_path / "pets"), tmp_path)


def test_listing_needs_no_tensorflow():
    # The command line lists sources and must answer at once.
    code = (
        "import sys, components.example_gen.reading.sources;"
        "import components.example_gen.splitting.splits;"
        "print({'tensorflow', 'tfx', 'sklearn', 'apache_beam', 'PIL'} & set(sys.modules))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    assert loaded.stdout == "set()\n"


def test_heic_pictures_that_cannot_be_read_are_one_error(tmp_path, monkeypatch):
    _touch(tmp_path, "a/1.HEIC", "a/2.jpg", "b/3.jpg", "b/4.heif")
    settings = DataSettings()
    monkeypatch.setattr(sources, "reads_heif", lambda: False)
    with pytest.raises(UserError, match=r"2 picture\(s\) in .* the first is a/1\.HEIC: .* heif"):
        sources.open_source(str(tmp_path), tmp_path, settings)
    with pytest.raises(UserError, match="2 picture"):
        sources.list_unlabelled(tmp_path)
    monkeypatch.setattr(sources, "reads_heif", lambda: True)
    assert len(sources.open_source(str(tmp_path), tmp_path, settings).items) == 4


def test_unlabelled_pictures_lie_anywhere(tmp_path):
    _touch(tmp_path, "a.jpg", "train/b.PNG", "deep/er/c.gif", "notes.txt", ".hidden.jpg")
    (tmp_path / "deep" / "circle").symlink_to(tmp_path)
    source = sources.list_unlabelled(tmp_path)
    assert _paths(source) == ["a.jpg", "deep/er/c.gif", "train/b.PNG"]
    assert source.classes == () and source.splits == {"unlabelled"} and source.ignored == 1


def test_a_folder_without_unlabelled_pictures_is_told(tmp_path):
    says = r"pseudo_labels\.source .*nowhere does not exist.*--set pseudo_labels\.source=PATH"
    with pytest.raises(ValueError, match=says):
        sources.list_unlabelled(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"pseudo_labels\.source .* holds no pictures: expected"):
        sources.list_unlabelled(tmp_path)
    _touch(tmp_path, "notes.txt")
    says = rf"^pseudo_labels\.source {tmp_path}/notes\.txt is a file: expected a folder of pictures"
    with pytest.raises(ValueError, match=says):
        sources.list_unlabelled(tmp_path / "notes.txt")
    says = r"^pseudo_labels\.source s3://pets is a remote address: only local folders"
    with pytest.raises(ValueError, match=says):
        sources.list_unlabelled("s3://pets")
