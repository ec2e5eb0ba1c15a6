"""The class names that a model carries."""

import pytest

from components.classes import CLASSES_FILE, read_classes, write_classes
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
