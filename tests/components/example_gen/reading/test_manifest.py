"""Manifests: what people write into tables, and what of it is refused."""

import json
import os

import pytest

from components import features
from components.errors import UserError
from components.example_gen.reading import sources


@pytest.fixture
def write(tmp_path):
    """`write(text, "labels.csv")` writes a manifest beside a/1.jpg, a/2.jpg, b/1.jpg, b/2.jpg."""
    for path in ("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(path.encode())

    def write(content, name="labels.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def _open(path):
    return sources.open_source(str(path), path.parent)


def _rows(source):
    return [(item.path, item.label, item.split) for item in source.items]


PLAIN = [("a/1.jpg", "cat", None), ("b/1.jpg", "dog", None)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.csv", "path,label\na/1.jpg,cat\nb/1.jpg,dog\n"),
        ("labels.CSV", "Label , PATH\ncat,a/1.jpg\ndog,b/1.jpg"),
        ("labels.tsv", "path\tlabel\na/1.jpg\tcat\nb/1.jpg\tdog\n"),
        ("labels.jsonl", '{"path": "a/1.jpg", "label": "cat"}\n\n{"path":"b/1.jpg","label":"dog"}'),
        ("excel.csv", b"\xef\xbb\xbfpath,label\r\na/1.jpg,cat\r\nb/1.jpg,dog\r\n\r\n"),
        (
            "bom.jsonl",
            b'\xef\xbb\xbf{"path": "a/1.jpg", "label": "cat"}\r\n'
            b'{"path": "b/1.jpg", "label": "dog"}\r\n',
        ),
        ("messy.csv", "path,label\nb/../b//1.jpg, dog\n./a/1.jpg,cat \na/1.jpg,cat\n"),
        ("split.csv", "path,label,split\na/1.jpg,cat,\nb/1.jpg,dog,\n"),
        ("spaces.csv", "path,label,split\n a/1.jpg , cat , \n\tb/1.jpg,dog,\t\n"),
        ("gaps.csv", "path,label\n\na/1.jpg,cat\n,\nb/1.jpg,dog\n"),
    ],
)
def test_forms_of_one_table(write, name, content):
    source = _open(write(content, name))
    assert _rows(source) == PLAIN
    assert source.classes == ("cat", "dog") and source.columns == ()
    assert source.repeated == (name == "messy.csv")
    assert (source.kind, source.location) == ("files", str(write(content, name)))
    assert source.items[0].size == len("a/1.jpg")


def test_splits_and_further_columns(write):
    table = "path,label,Split,Camera,site no\na/1.jpg,cat,Train,Q,1\n"
    table += 'b/1.jpg,dog,train,"x,\r\ny",2\n'
    source = _open(write(table + "a/2.jpg,cat,val,Q,3\nb/2.jpg,dog,TEST,R,\n"))
    assert [item.split for item in source.items] == ["train", "validation", "train", "test"]
    assert source.columns == ("Camera", "site no")
    assert [item.columns for item in source.items] == [
        ("Q", "1"),
        ("Q", "3"),
        ("x,\r\ny", "2"),
        ("R", ""),
    ]
    assert [features.column_feature(name) for name in source.columns] == [
        "column_Camera",
        "column_site_no",
    ]
    assert features.column_feature("größe 2") == "column_gr__e_2"


@pytest.mark.parametrize(
    ("order", "says"), [(1, "has the iso '', and '100' in"), (-1, "has the iso '100', and '' in")]
)
def test_a_row_that_leaves_out_what_another_says_of_its_picture_is_refused(write, order, says):
    lines = [
        {"path": "a/1.jpg", "label": "a", "iso": 100},
        {"path": "a/1.jpg", "label": "a"},
    ][::order]
    with pytest.raises(UserError, match=rf"line 2: a/1.jpg {says} line 1"):
        _open(write("\n".join(map(json.dumps, lines)), "labels.jsonl"))


def test_rows_that_say_the_same_again_are_counted(write):
    table = "path,label\n" + "a/1.jpg,cat\n" * 3 + "b/1.jpg,dog\n" * 2
    source = _open(write(table))
    assert (len(source.items), source.repeated) == (2, 3)


def test_numbers_and_missing_values_of_json_become_text(write):
    lines = [
        {"path": "a/1.jpg", "label": 3, "night": True},
        {"path": "b/1.jpg", "label": 4, "night": None, "iso": 100, "zoom": 2, "f": 8, "at": "x"},
    ]
    source = _open(write("\n".join(map(json.dumps, lines)), "labels.ndjson"))
    assert source.classes == ("3", "4")
    assert source.columns == ("at", "f", "iso", "night", "zoom")
    assert [item.columns for item in source.items] == [
        ("", "", "", "True", ""),
        ("x", "8", "100", "", "2"),
    ]


def test_a_file_that_is_not_there_is_listed(write):
    source = _open(write("path,label\na/1.jpg,cat\nb/1.jpg,dog\nb/gone.jpg,dog\n"))
    assert [item.path for item in source.missing] == ["b/gone.jpg"]
    assert source.missing[0].size == 0


HEADER = "path,label,split\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column path and label; its first line has nothing: expected the columns path and"),
        ("file,label\na/1.jpg,cat\n", "no column path; its first line has file, label"),
        ("path;label\na/1.jpg;cat\n", "no column path and label; its first line has path;label"),
        ("path,label,label\na/1.jpg,cat,cat\n", r"the column 'label' 2 time\(s\)"),
        ("path,label,\na/1.jpg,cat,\n", r"the column '' 1 time\(s\)"),
        ("path,label\n", "names no pictures"),
        ("path,label\na/1.jpg,cat,more\n", "line 2: 3 values, the first line has 2 columns"),
        ("path,label\na/1.jpg\n", "line 2: 1 values"),
        ("path,label\na/1.jpg,cat\nb/1.jpg, \n", "line 3: no label"),
        ("path,label\n,cat\n", "line 2: no path"),
        (HEADER + "a/1.jpg,cat,dev\n", "line 2: unknown split 'dev': expected one of train, valid"),
        (HEADER + "a/1.jpg,cat,train\nb/1.jpg,dog,\n", "line 3: no split, but other rows have one"),
        (HEADER + "a/1.jpg,cat,test\nb/1.jpg,dog,val\n", "has test and validation but no train"),
        (
            HEADER + "a/1.jpg,cat,train\nb/1.jpg,dog,train\nb/2.jpg,cow,test\n",
            "test/ has the class 'cow' that train/ lacks",
        ),
        ("path,label\na/1.jpg,cat\n", r"has 1 class \(cat\).*expected the columns path and label"),
        (
            "path,label\na/1.jpg,cat\nb/1.jpg,dog\n./a/1.jpg,dog\n",
            "line 4: a/1.jpg has the label 'dog', and 'cat' in line 2: expected one row",
        ),
        (
            HEADER + "a/1.jpg,cat,train\na/1.jpg,cat,test\n",
            "the split 'test', and 'train' in line 2",
        ),
        ("path,label,x\na/1.jpg,cat,1\na/1.jpg,cat,2\n", "has the x '2', and '1' in line 2"),
        ('path,label\na/1.jpg,"c\nat"\nb/1.jpg,dog\n', r"line 3: label 'c\\nat' has a control"),
        ("path,label\na/1.jpg,\x1b[31mcat\n", r"line 2: label '\\x1b\[31mcat' has a control"),
        ("path,label\na/\x001.jpg,cat\n", "no .csv table|control character"),
        (b"path,label\na/1.jpg,caf\xe9\n", "is not UTF-8 .*: save it as UTF-8"),
        ('path,label\n"a/1.jpg,cat\n', "is no .csv table: unexpected end of data"),
        (
            "path,label\na,cat\nb/1.jpg,dog\n",
            "line 2: a is no file: expected the path of a picture",
        ),
        ("path,label\nx.jpg,cat\ny.jpg,dog\n", "none of the 2 files .* there, the first is x.jpg"),
        ("path,label\ngs://b/1.jpg,cat\n", "line 2: gs://b/1.jpg is an address"),
        (
            "path,label,a b,a_b\na/1.jpg,cat,,\n",
            "'a b' and 'a_b' would both become the feature column_a_b: ",
        ),
    ],
)
def test_tables_that_are_refused(write, content, message):
    path = write(content)
    with pytest.raises(UserError, match=message) as error:
        _open(path)
    assert str(error.value).startswith(f"data.source {path}")
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("path: a/1.jpg", "line 2: no JSON"),
        ("[1]", "line 2: expected one JSON object per line"),
        ('{"path": "b/1.jpg", "label": ["dog"]}', "line 2: expected one JSON object"),
        ('{"path": "b/1.jpg"}', "line 2: no label"),
        (r'{"path": "b/1.jpg", "label": "\ud800"}', "line 2: label is not Unicode text"),
    ],
)
def test_lines_that_are_refused(write, line, message):
    with pytest.raises(UserError, match=message) as error:
        _open(write('{"path": "a/1.jpg", "label": "cat"}\n' + line, "labels.jsonl"))
    assert str(error.value).isprintable()


def test_a_pipe_is_not_waited_for(write, tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UserError, match=r"line 2: pipe.jpg is no file"):
        _open(write("path,label\npipe.jpg,cat\nb/1.jpg,dog\n"))


def test_fingerprint_changes_with_labels_and_files(write, tmp_path):
    table = "path,label\na/1.jpg,cat\nb/1.jpg,dog\na/2.jpg,{}\n"

    def now(label):
        return sources.fingerprint(_open(write(table.format(label))))

    seen = [now("cat"), now("dog")]
    (tmp_path / "a/2.jpg").write_bytes(b"another")
    seen.append(now("dog"))
    os.utime(tmp_path / "a/2.jpg", ns=(5, 5))
    seen.append(now("dog"))
    assert len(set(seen)) == 4
    assert now("dog") == seen[-1], "not with the manifest's own time"


def test_files_of_1970_are_there(write, tmp_path):
    for path in tmp_path.rglob("*.jpg"):
        os.utime(path, ns=(0, 0))
    assert not _open(write("path,label\na/1.jpg,cat\nb/1.jpg,dog\n")).missing
    assert not sources.list_folder(tmp_path).missing


def test_a_link_to_a_manifest_is_read_where_the_link_is(write, tmp_path):
    table = write("path,label\na/1.jpg,cat\nb/1.jpg,dog\n")
    (tmp_path / "tables").mkdir()
    (tmp_path / "labels.csv").symlink_to(table.rename(tmp_path / "tables" / "of today"))
    source = _open(tmp_path / "labels.csv")
    assert _rows(source) == PLAIN and source.root == str(tmp_path)
