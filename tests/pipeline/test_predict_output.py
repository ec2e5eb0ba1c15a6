"""What `graft predict` prints of single answers: tables, CSV and JSON."""

import csv
import json

import numpy as np
import pytest
from rich.cells import cell_len

from pipeline.commands.predict_model import Answer
from pipeline.commands.predict_output import Csv, JsonLines, Table, in_set, ranked

LONG = [f"a class with a long name, number {number}" for number in range(1000)]


def answer(*probabilities: float, path="p.png", **options) -> Answer:
    return Answer(path, np.array(probabilities, np.float32), **options)


def test_of_two_classes_that_are_as_probable_the_first_one_is_the_answer():
    tied = answer(0.2, 0.4, 0.4)
    assert [name for name, _ in ranked(tied, ["a", "b", "c"])] == ["b", "c", "a"]
    names = [f"class {number}" for number in range(100)]
    assert [name for name, _ in ranked(answer(*[0.01] * 100), names)] == names


def test_a_row_tells_the_class_the_runner_up_and_whether_it_is_unsure():
    table = Table(["cat", "dog"], abstains=True, has_label_sets=False, width=None)
    assert table.heading().split() == ["class", "probability", "unsure", "next", "picture"]
    assert table.row(answer(0.3, 0.7, unsure=True)).split() == [
        *("dog", "0.700", "unsure", "cat", "0.300", "p.png")
    ]
    assert "unsure" not in table.row(answer(0.3, 0.7, unsure=False))


def test_next_to_the_answer_stands_the_second_of_all_classes():
    table = Table(["a", "b", "c"], abstains=False, has_label_sets=False, width=None)
    assert table.row(answer(0.3, 0.1, 0.6)).split() == ["c", "0.600", "a", "0.300", "p.png"]
    assert Csv(["a", "b", "c"]).row(answer(0.3, 0.1, 0.6)).split(",")[1:5] == [
        *("c", "0.600000", "a", "0.300000")
    ]


def test_a_label_set_of_no_class_is_said_to_be_none():
    table = Table(["cat", "dog"], abstains=False, has_label_sets=True, width=None)
    row = table.row(answer(0.3, 0.7, label_set=np.array([False, False])))
    assert row.split() == ["dog", "0.700", "none", "p.png"]


def test_the_only_class_of_a_model_has_no_runner_up():
    table = Table(["only"], abstains=False, has_label_sets=False, width=None)
    assert table.row(answer(1.0)).split() == ["only", "1.000", "p.png"]
    assert table.row(answer(1.0)).index("p.png") == table.heading().index("picture")


@pytest.mark.parametrize(
    ("longest", "width", "shown"),
    [("cat", 5, "cat"), ("c" * 16, 16, "c" * 16), ("c" * 17, 16, "c" * 15 + "…")],
)
def test_a_column_is_as_wide_as_its_longest_class_up_to_a_bound(longest, width, shown):
    table = Table([longest, "a"], abstains=False, has_label_sets=False, width=None)
    ends = [table.heading().index(name) for name in ("probability", "next", "picture")]
    assert ends == [width + 2, width + 15, 2 * width + 23], "the next one has its probability"
    assert table.row(answer(0.9, 0.1)).split()[0] == shown
    assert table.row(answer(0.1, 0.9)).split()[2:4] == [shown, "0.100"]


@pytest.mark.parametrize("length", [5, 12, 13, 40])
def test_however_narrow_the_terminal_the_end_of_a_path_is_shown(length):
    table = Table(["cat", "dog"], abstains=False, has_label_sets=False, width=20)
    path = "/" + "x" * (length - 5) + ".png"
    shown = table.row(answer(0.9, 0.1, path=path)).rsplit(maxsplit=1)[1]
    assert shown == (path if length <= 12 else f"…{path[-11:]}") and cell_len(shown) <= 12


def test_no_line_of_json_holds_a_number_that_is_none():
    text = JsonLines(["a", "b"]).row(answer(np.nan, np.nan))
    fields = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in {text}"))
    assert fields["probability"] is None


def test_a_model_of_one_class_has_no_runner_up_in_csv():
    assert Csv(["only"]).row(answer(1.0)) == "p.png,only,1.000000,,,,,"


def long_answer(path, **options):
    probabilities = np.full(len(LONG), 0.5 / len(LONG), np.float32)
    probabilities[1] = 0.5
    return Answer(path, probabilities, **options)


@pytest.mark.parametrize("label_sets", [False, True])
def test_a_table_fits_80_columns_of_a_terminal_and_keeps_the_end_of_a_path(label_sets):
    table = Table(LONG, True, label_sets, 80)
    path = f"/some/{'folder/' * 20}picture.jpg"
    inside = np.arange(1000) < 500
    row = table.row(long_answer(path, unsure=True, label_set=inside if label_sets else None))
    assert len(row) <= 80 and len(table.heading()) <= 80
    assert row.endswith("icture.jpg") and " unsure " in row
    assert len(table.row(Answer(path, error="why " * 50))) <= 80


def test_a_table_for_a_program_never_cuts_a_path():
    path = f"/some/{'folder/' * 20}picture.jpg"
    for row in (long_answer(path), Answer(path, error="damaged JPEG")):
        assert Table(LONG, False, False, None).row(row).endswith(f"  {path}")


def test_columns_line_up_under_wide_characters():
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


def test_a_name_is_measured_as_it_is_shown():
    table = Table(["cat", "a\u202e" * 5], abstains=False, has_label_sets=False, width=None)
    row = table.row(answer(0.7, 0.3))
    assert " a\\u202ea\\u202ea… 0.300  p.png" in row


def test_a_label_set_of_no_class_is_an_empty_list_for_programs():
    fields = json.loads(JsonLines(["a", "b"]).row(answer(0.3, 0.7, label_set=np.zeros(2, bool))))
    assert fields["label_set"] == []


def test_a_name_that_is_cut_between_two_words_ends_with_the_first():
    table = Table(["a class of cat pictures", "b"], False, False, None)
    assert table.row(answer(0.9, 0.1)).startswith("a class of cat…   0.900")
