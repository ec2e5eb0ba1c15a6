"""The digest that makes edited code run again."""

import shutil
from pathlib import Path

import pytest

from pipeline import code_digest as module
from pipeline.code_digest import code_digest


@pytest.fixture
def components(tmp_path) -> Path:
    """A copy of the components' sources."""
    original = Path(module.__file__).parents[1] / "components"
    ignore = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(original, tmp_path / "components", ignore=ignore))


def test_a_copy_has_the_same_digest_and_packages_have_different_ones(components):
    assert code_digest("transform", root=components) == code_digest("transform")
    assert code_digest("transform") != code_digest("trainer")


@pytest.mark.parametrize(
    ("edited", "changes"),
    [
        ("transform/augment.py", True),
        ("features.py", True),  # everyone imports it
        ("trainer/model.py", False),
        ("transform/__pycache__/augment.pyc", False),
    ],
)
def test_it_follows_the_package_and_the_leaves(components, edited, changes):
    before = code_digest("transform", root=components)
    file = components / edited
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as opened:
        opened.write("# edited\n")
    assert (code_digest("transform", root=components) != before) == changes


def test_a_renamed_file_changes_it(components):
    before = code_digest("transform", root=components)
    (components / "transform" / "augment.py").rename(components / "transform" / "renamed.py")
    assert code_digest("transform", root=components) != before
