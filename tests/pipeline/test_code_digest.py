"""The digest that makes changed code run again."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import grimp
import pytest

from pipeline import code_digest as module
from pipeline.code_digest import code_digest, import_closure, library_versions

ROOT = Path(module.__file__).parents[1]
TRAINING, TRANSFORM = "components.trainer.run_fn", "components.transform.preprocessing"
ENTRIES = (
    TRAINING,
    TRANSFORM,
    "components.example_gen.executor",
    "components.data_gate.executor",
    "components.evaluator.executor",
    "components.serving_gate.executor",
    "components.serving_gate.__main__",
    "components.baseline_finder.executor",
    "components.pusher.executor",
)


@pytest.fixture(scope="module")
def graph():
    """The imports, as import-linter's library finds them."""
    return grimp.build_graph("components", "pipeline", cache_dir=None)


@pytest.fixture
def root(tmp_path) -> Path:
    """A copy of the components' sources."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "components", tmp_path / "components", ignore=ignore)
    return tmp_path


@pytest.mark.parametrize("entry", ENTRIES)
def test_it_covers_all_that_the_code_imports(entry, graph):
    def name(file: Path) -> str:
        return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")

    covered = {name(file) for file in import_closure(entry)}
    imported = {entry, *graph.find_upstream_modules(entry)}
    packages = {part.rpartition(".")[0] for part in imported} - {""}
    assert covered >= imported
    # A package runs before what is in it, and may import in turn.
    assert covered - imported <= packages | {p.rpartition(".")[0] for p in packages}


def test_the_nodes_that_carry_a_digest_begin_where_it_begins():
    text = (ROOT / "pipeline" / "pipeline.py").read_text()
    assert text.count("digest(") == 8
    text += (ROOT / "pipeline" / "code_digest.py").read_text()
    assert all(f'"{entry}"' in text for entry in ENTRIES)


def test_the_code_of_a_model_is_that_of_every_node():
    """Also what the pipeline names by its import path alone."""
    assert import_closure(*module.ALL) >= import_closure(*ENTRIES)


def test_a_copy_has_the_same_digest_and_other_code_another_one(root):
    assert code_digest(TRANSFORM, root=root) == code_digest(TRANSFORM)
    assert code_digest(TRANSFORM) != code_digest(TRAINING)


@pytest.mark.parametrize(
    ("entry", "edited", "changes"),
    [
        (TRANSFORM, "transform/augment.py", True),
        (TRANSFORM, "features.py", True),  # a leaf that it imports
        (TRANSFORM, "transform/__init__.py", True),  # runs before what is in its package
        (TRANSFORM, "trainer/run_fn.py", False),
        (TRANSFORM, "served_versions.py", False),  # a leaf that it does not
        (TRANSFORM, "trainer/weights/glyphs.npz", False),
        (TRAINING, "trainer/fitting/losses.py", True),
        (TRAINING, "pixels.py", True),
        (TRAINING, "trainer/weights/glyphs.npz", True),
        (TRAINING, "trainer/weights/README.md", False),
        (TRAINING, "trainer/lr_finder.py", False),  # no part of a training
    ],
)
def test_it_follows_code_and_weights_and_nothing_else(root, entry, edited, changes):
    before = code_digest(entry, root=root)
    with (root / "components" / edited).open("a") as file:
        file.write("# edited\n")
    assert (code_digest(entry, root=root) != before) == changes


def test_libraries_that_lie_beside_graft_are_left_out(root):
    """As in an environment into which it is installed."""
    library = root / "tensorflow" / "__init__.py"
    library.parent.mkdir()
    library.write_text("import components.text")
    assert library not in import_closure(TRANSFORM, root=root)
    assert code_digest(TRANSFORM, root=root) == code_digest(TRANSFORM)


def test_a_renamed_file_changes_it(root):
    before = code_digest(TRANSFORM, root=root)
    weights = root / "components" / "transform"
    (weights / "augment.py").rename(weights / "renamed.py")
    assert code_digest(TRANSFORM, root=root) != before


def test_another_version_of_a_library_changes_it(monkeypatch):
    before = code_digest(TRANSFORM)
    newer = {**library_versions(), "pillow": "999"}
    alone = code_digest(TRANSFORM, libraries={})
    monkeypatch.setattr(module, "library_versions", lambda: newer)
    assert code_digest(TRANSFORM) != before
    assert code_digest(TRANSFORM, libraries={}) == alone, "the code alone"


def test_what_an_extra_of_a_library_needs_is_one_too(monkeypatch):
    needs = {
        "graft-pipeline": ["one[more]"],
        "one": ["two ; extra == 'more'", "three ; extra == 'other'"],
        "two": [],
        "three": [],
    }
    monkeypatch.setattr(
        module.importlib.metadata,
        "distribution",
        lambda name: SimpleNamespace(version="1", requires=needs[name]),
    )
    assert library_versions.__wrapped__().keys() == {"graft-pipeline", "one", "two"}


def test_what_a_library_needs_on_this_system_is_one_too_by_its_name_in_small_letters(monkeypatch):
    needs = {
        "graft-pipeline": ["one", "Two_Words>=1"],
        "one": ["three; python_version >= '3'", "four; sys_platform == 'win32'"],
    }
    monkeypatch.setattr(
        module.importlib.metadata,
        "distribution",
        lambda name: SimpleNamespace(version="1", requires=needs.get(name)),
    )
    found = library_versions.__wrapped__().keys()
    assert found == {"graft-pipeline", "one", "two-words", "three"}


def test_the_libraries_are_those_that_a_run_needs_and_no_tools():
    versions = library_versions()
    assert {"tfx", "tensorflow", "keras", "apache-beam", "numpy", "pillow"} <= versions.keys()
    assert not versions.keys() & {"pytest", "ruff", "import-linter", "pre-commit"}


def test_a_schema_is_code_and_an_import_out_of_a_package_is_of_it(tmp_path):
    for name, text in {
        "components/a.py": "import json, components.d\nfrom schemas.b import thing\n",
        "components/d.py": "",
        "schemas/__init__.py": "",
        "schemas/b.py": "thing = 1\n",
        "others/c.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = import_closure("components.a", root=tmp_path)
    assert {file.relative_to(tmp_path).as_posix() for file in found} == {
        "components/a.py", "components/d.py", "schemas/__init__.py", "schemas/b.py"
    }  # fmt: skip


def test_versions_found_in_another_order_are_the_same(monkeypatch):
    before = code_digest(TRANSFORM)
    turned = dict(reversed(library_versions().items()))
    monkeypatch.setattr(module, "library_versions", lambda: turned)
    assert code_digest(TRANSFORM) == before


def test_what_the_gpu_needs_is_a_library_too(monkeypatch):
    needs = {"graft-pipeline": ["cuda; extra == 'gpu'", "pytest; extra == 'dev'"]}
    monkeypatch.setattr(
        module.importlib.metadata,
        "distribution",
        lambda name: SimpleNamespace(version="1", requires=needs.get(name)),
    )
    assert library_versions.__wrapped__().keys() == {"graft-pipeline", "cuda"}
