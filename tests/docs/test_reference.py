"""The page of all keys is that of the models which check a recipe."""

import re
import runpy
from pathlib import Path

import pytest

from pipeline.config import Recipe

pytestmark = pytest.mark.one_line

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_tool_writes():
    tool = runpy.run_path(str(ROOT / "tools/recipe_reference.py"))
    written = tool["reference"](Recipe.model_json_schema())
    assert (ROOT / "docs/reference.md").read_text("utf-8") == written, (
        "run: python tools/recipe_reference.py > docs/reference.md"
    )


def test_no_key_is_without_its_kind_and_blocks_are_found_at_any_depth():
    page = (ROOT / "docs/reference.md").read_text("utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert all(kind and "any" not in kind.split(", ") for _, kind, *_ in rows)
    for block in ("data.split", "training.phases[…].early_stopping", "kubeflow.steps.NAME.gpu"):
        assert f"## `{block}`\n" in page


def test_a_block_says_what_it_is_and_whether_it_is_off_by_default():
    page = (ROOT / "docs/reference.md").read_text("utf-8")
    off = re.findall(r"^## `(.*)`\n\nOff unless", page, re.MULTILINE)
    step, in_step = "kubeflow.steps.NAME", ("tolerations[…]", "security_context", "gpu")
    assert off == [
        "training.phases[…]",
        "distillation",
        "pseudo_labels",
        "serving.abstain",
        "push.sign",
        "kubeflow.tolerations[…]",
        "kubeflow.security_context",
        step,
        *(f"{step}.{block}" for block in in_step),
    ]
    for begins in (
        "data`\n\n| key",  # the model says no more than whose it is
        "training`\n\nIts phases are the blocks `frozen` and `unfrozen`, or",
        "data_gate.skew`\n\nHow far validation and test",
        "distillation`\n\nOff unless a recipe names it. Learn from another model's answers",
    ):
        assert f"## `{begins}" in page
