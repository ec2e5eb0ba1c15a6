"""The class names that a model carries, and their order by recall."""

import pytest

from components.classes import CLASSES_FILE, lowest_recall_first, read_classes, write_classes
from components.errors import UserError

pytestmark = pytest.mark.one_line


@pytest.mark.parametrize("classes", [["cat"], ["süße Hunde", " a ", "犬", "7"], ["b", "a\u2028c"]])
def test_names_come_back_as_they_were_in_their_order(tmp_path, classes):
    write_classes(tmp_path, ["of an earlier export"])
    write_classes(tmp_path, classes)
    assert read_classes(tmp_path) == classes
    assert (tmp_path / CLASSES_FILE).read_text(encoding="utf-8") == "\n".join([*classes, ""])


def test_a_model_without_them_is_none_of_graft_s(tmp_path):
    with pytest.raises(UserError, match=r"classes\.txt is missing: not a model exported by Graft"):
        read_classes(tmp_path)


def test_the_lowest_recall_comes_first_and_one_that_nobody_knows_last():
    recalls = {"a": 0.5, "b": float("nan"), "c": 0.0, "d": 1.0, "e": 0.5}
    per_class = {name: {"recall": recall} for name, recall in recalls.items()}
    assert [name for name, _ in lowest_recall_first(per_class)] == ["c", "a", "e", "d", "b"]
