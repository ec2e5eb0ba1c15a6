"""When two models can be compared."""

import pytest

from components.classes import write_classes
from components.errors import UserError
from components.evaluator.comparison import column_order, why_not_comparable


def test_models_of_the_same_classes_are_comparable_in_any_order(tmp_path):
    write_classes(tmp_path, ["dog", "cat"])
    assert why_not_comparable(["cat", "dog"], tmp_path) == ""


def test_models_of_other_classes_are_not(tmp_path):
    write_classes(tmp_path, ["cat", "dog"])
    note = why_not_comparable(["cat", "fox"], tmp_path)
    assert note == "served model not compared, it knows other classes (new: fox; gone: dog)"


def test_a_served_model_without_a_list_of_classes_never_turns_the_comparison_off(tmp_path):
    with pytest.raises(UserError, match=r"classes\.txt is missing"):
        why_not_comparable(["cat"], tmp_path)


def test_a_candidate_that_knows_one_class_more_is_not(tmp_path):
    write_classes(tmp_path, ["cat", "dog"])
    note = why_not_comparable(["cat", "dog", "fox"], tmp_path)
    assert note == "served model not compared, it knows other classes (new: fox; gone: none)"
    assert why_not_comparable(["cat"], tmp_path).endswith("(new: none; gone: dog)")
    many = why_not_comparable(["cat", "dog", *"hgfedcba"], tmp_path)
    assert many.endswith("(new: a, b, c, d, e, f, g, h; gone: none)")


def test_the_served_model_s_columns_are_found_by_the_names_of_the_classes(tmp_path):
    for name, classes in (("model", ["a", "b", "c"]), ("served", ["b", "c", "a"])):
        (tmp_path / name).mkdir()
        write_classes(tmp_path / name, classes)
    assert column_order(tmp_path / "model", tmp_path / "served") == [2, 0, 1]
