"""The pages for cluster users: their recipes are valid, and the files of their commands there.

Commands, options and links of all pages are looked at in `tests/docs`.
"""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from pipeline.config import Recipe, load_recipe
from pipeline.kubeflow.compiler import recipe_checks

pytestmark = pytest.mark.one_line

REPOSITORY = Path(__file__).parents[2]
PAGES = [REPOSITORY / "kubeflow/README.md", REPOSITORY / "docs/scale_out.md"]
README, SCALE_OUT = (page.read_text("utf-8") for page in PAGES)


def _blocks(text: str) -> list[dict]:
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


def _commands(text: str, program: str) -> list[list[str]]:
    """Lines of code that begin with the program, and code inside of text that does, as words."""
    lines = re.findall(rf"^    ({program} .+)$|`({program} [^`\n]+)`", text, re.MULTILINE)
    return [shlex.split(line or inside)[1:] for line, inside in lines]


def test_every_command_of_the_way_is_told():
    assert {"compile", "rehearse", "submit", "validate"} <= {
        words[0] for words in _commands(README, "graft")
    }


def test_every_file_that_is_named_is_there():
    applied = [
        words[index + 1]
        for words in _commands(README, "kubectl")
        for index, word in enumerate(words)
        if word in ("-k", "-f") and words[0] == "apply"
    ]
    named = re.findall(r"`(manifests/[^`*]+)`", README)
    named = [f"kubeflow/{name}" for name in named if not name.endswith("/.env")]
    assert len(applied) >= 5
    for name in [*applied, *named]:
        assert (REPOSITORY / name).exists(), name


@pytest.fixture
def recipes(tmp_path) -> list[Recipe]:
    """The recipe of the README, and the same with its block for a GPU, and for a store."""
    plain, *blocks = _blocks(README)
    merged = [
        {**plain, **block, "kubeflow": {**plain["kubeflow"], **block["kubeflow"]}}
        for block in blocks
    ]
    loaded = []
    for number, values in enumerate((plain, *merged)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(yaml.safe_dump(values))
        loaded.append(load_recipe(str(path)))
    return loaded


def test_the_recipes_can_be_compiled_without_a_warning(recipes):
    for recipe in recipes:
        recipe_checks.check_recipe(recipe)
        assert recipe_checks.warnings_for(recipe) == []
    plain, with_gpu, with_store = recipes
    assert recipe_checks.push_destination(with_store).startswith("s3://")
    assert plain.kubeflow.step("Trainer").gpu is None
    assert with_gpu.kubeflow.step("Trainer").gpu.count == 1


def test_the_manifests_serve_what_the_recipe_pushes(recipes):
    claims = {claim["metadata"]["name"] for claim in _claims()}
    assert set(recipes[0].kubeflow.pvcs) == claims
    claim = "graft-models"
    folder = Path(recipes[0].kubeflow.push_destination).relative_to(recipes[0].kubeflow.pvcs[claim])
    assert f"`pvc://{claim}/{folder}`" in README


def _claims() -> list[dict]:
    text = (REPOSITORY / "kubeflow/manifests/training/claims.yaml").read_text()
    return list(yaml.safe_load_all(text))


def test_the_blocks_for_beam_are_valid():
    runners = set()
    for block in _blocks(SCALE_OUT):
        recipe = Recipe(name="fruit", **block)
        recipe.beam.pipeline_args()
        runners.add(recipe.beam.runner)
    assert runners == {"direct", "flink", "spark", "dask"}
