"""YAML that people write, by mistake or on purpose."""

import time

import pytest

from components.errors import UserError
from pipeline.yaml_documents import read_document, read_documents, write_documents

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{below}'] * 9)}]\n"
    for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_plain_documents_are_read():
    assert read_document("") is None
    assert read_document("a: {b: [1, 2.5, true, null, x]}") == {
        "a": {"b": [1, 2.5, True, None, "x"]}
    }
    assert read_documents("a: 1\n---\nb: 2\n", 100) == [{"a": 1}, {"b": 2}]


def test_anchors_and_merges_work_and_what_a_merge_brings_may_be_given_again():
    text = "base: &b {x: 1, y: 2}\nc: {<<: *b, x: 3}\nd: {<<: *b}\ne: *b"
    read = read_document(text)
    assert read["c"] == {"x": 3, "y": 2} and read["d"] == read["e"] == {"x": 1, "y": 2}


def test_a_date_is_text():
    assert read_document("name: 2026-13-45") == {"name": "2026-13-45"}


@pytest.mark.parametrize(
    ("text", "number"), [("1e-4", 1e-4), ("1E5", 1e5), ("-2.5e3", -2500.0), ("3.0e-05", 3e-5)]
)
def test_powers_of_ten_are_numbers_with_and_without_a_point(text, number):
    assert read_document(f"a: {text}") == {"a": number}
    assert read_document("a: 1e-4b") == {"a": "1e-4b"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", "the key a is there twice, in lines 1 and 3"),
        ("x:\n  b: 2\n  'b': 3\n", "the key b is there twice, in lines 2 and 3"),
        (BOMB, r"more than 16,000 values \(line 5"),
        ("[" * 5000, r"nested more than 50 deep \(line 1"),
        ("{" * 5000, "nested more than 50 deep"),
        ("- " * 15_000, "nested more than 50 deep"),
        ("a: &x [*x]", "the block that x names is in itself"),
        ("a: &x {<<: *x}", "the block that x names is in itself"),
        ("a: " + "x" * 40_000, "40,003 bytes; 32,000 are the most"),
        ("a: 1\n---\nb: 2", "one document is expected"),
        ("a: [", "not YAML: .*line 1, column 5"),
        ("a: !!int foo", r"foo is no int \(line 1, column 4\)"),
        ("a: !!bool foo", "foo is no bool"),
        ("a: 0x_", "0x_ is no int"),
        ("a: !!int ''", r"^'' is no int \(line 1, column 4\)"),
        ("a: !!float ''", r"^'' is no float \(line 1, column 4\)"),
        ("a: " + "9" * 5000, "9 … is no int"),
        ("a: !!python/object/apply:os.system ['true']", "not YAML: could not determine"),
        ("? [1]\n: 2", "not YAML: found unhashable key"),
        ("\0", "not YAML: unacceptable character"),
        ("a: \ud800", "not YAML: unacceptable character"),
    ],
)
def test_what_is_refused_gets_one_short_line_at_once(text, says):
    start = time.thread_time()
    with pytest.raises(UserError, match=says) as error:
        read_document(text)
    assert len(str(error.value)) < 400 and "\n" not in str(error.value)
    assert time.thread_time() - start < 5


def test_the_bounds_are_the_last_that_is_allowed():
    assert read_documents("word", 4) == ["word"]
    with pytest.raises(UserError, match="it has 4 bytes; 3 are the most"):
        read_documents("wör", 3)
    assert read_document("[" * 50 + "]" * 50) == read_document("[" * 49 + "[]" + "]" * 49)
    with pytest.raises(UserError, match="nested more than 50 deep"):
        read_document("[" * 51 + "]" * 51)
    assert read_documents("[1,2,3,4]  ", 11) == [[1, 2, 3, 4]], "the list and what is in it"
    with pytest.raises(UserError, match=r"more than 5 values \(line 1, column 1\)"):
        read_documents("[1,2,3,4,5]", 11)
    with pytest.raises(UserError, match=r"more than 3 values \(line 1, column 1\)"):
        read_documents("{a,b}", 7)


def test_behind_an_alias_keys_and_values_count_again():
    text = "[&x {a: 1}, *x, *x, *x]"
    assert read_documents(text, 26) == [[{"a": 1}] * 4], "a list, and four times three"
    with pytest.raises(UserError, match=r"more than 12 values"):
        read_documents(text, 25)


def test_a_number_and_the_same_digits_in_quotes_are_two_keys():
    assert read_document("1: a\n'1': b") == {1: "a", "1": "b"}


@pytest.mark.parametrize(
    "text",
    [
        "089012345678",
        "08",
        "7e5",
        "7123e45",
        "1.5e3",
        "-.5",
        "0o17",
        "0_8",
        "1",
        "0x1f",
        "0X1F",
        "0B1",
        "1e1_0",
        "y",
        "N",
        "no",
    ],
)
def test_text_that_any_reader_takes_for_something_else_is_written_in_quotes(text):
    assert write_documents([{"a": text}]) == f"a: '{text}'\n"


def test_letters_of_any_language_are_written_as_they_are():
    assert write_documents([{"\u00e4pfel": "\u6a58"}]) == "\u00e4pfel: \u6a58\n"


@pytest.mark.parametrize(
    "value", [8, -3, 0.5, 1e-5, 1e20, True, None, "0.1.2", "12e", "yy", "-", "v1"]
)
def test_what_is_written_is_read_as_it_was(value):
    written = write_documents([{"a": value}, [value]])
    assert read_documents(written, 100) == [{"a": value}, [value]]
    assert isinstance(value, str) or "'" not in written
