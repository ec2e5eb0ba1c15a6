"""Where a model comes from."""

import json
import platform
import shutil
import subprocess

import pytest

from pipeline import code_digest
from pipeline import provenance as module
from pipeline.config import load_recipe
from pipeline.provenance import provenance, this_machine


@pytest.fixture
def facts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def facts(*overrides):
        return json.loads(provenance(load_recipe("digits", overrides), {"a": "b"}, this_machine()))

    return facts


def test_the_recipe_is_there_in_full_and_so_are_versions_and_inputs(facts):
    found = facts("training.frozen.epochs=7")
    assert found["recipe"]["training"]["frozen"]["epochs"] == 7
    assert found["recipe"]["push"]["allow_taken_back"] is False, "with its defaults"
    assert found["inputs"] == {"a": "b"}
    assert set(found["versions"]) == {"graft", "python", "tfx", "tensorflow"}
    assert found["processor"]
    assert len(found["code"]) == len(found["libraries"]) == 64


def test_the_code_is_that_of_every_node(facts, monkeypatch):
    monkeypatch.setattr(module, "code_digest", lambda *names, libraries: " ".join(names))
    assert facts()["code"] == " ".join(code_digest.ALL)


def test_libraries_found_in_another_order_are_the_same(facts, monkeypatch):
    code, now, versions = facts()["code"], facts()["libraries"], module.library_versions()
    monkeypatch.setattr(module, "library_versions", lambda: dict(reversed(versions.items())))
    assert facts()["libraries"] == now
    for of in (module, code_digest):
        monkeypatch.setattr(of, "library_versions", lambda: versions | {"tfx": "0"})
    assert facts()["libraries"] != now and facts()["code"] == code


@pytest.mark.skipif(shutil.which("git") is None, reason="skipped: git is not installed")
def test_the_revision_of_the_working_directory_and_whether_it_has_changes(facts, tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)

    assert facts()["git"] is None, "no repository"
    git("init")
    assert facts()["git"] is None, "no commit"
    (tmp_path / "pets.yaml").write_text("name: pets")
    git("add", ".")
    git("commit", "-m", "a recipe")
    clean = facts()["git"]
    assert len(clean["revision"]) == 40 and not clean["dirty"]
    (tmp_path / "pets.yaml").write_text("name: cats")
    assert facts()["git"] == clean | {"dirty": True}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel name\t: Abacus: a fast one \nprocessor\t: 1\nmodel name\t: B\n",
         "Abacus: a fast one"),
        ("processor\t: 0\n", "as Python says"),
        (None, "as Python says"),
    ],
)  # fmt: skip
def test_the_processor_has_the_name_that_linux_knows_or_else_python(
    tmp_path, monkeypatch, text, name
):
    file = tmp_path / "cpuinfo"
    if text:
        file.write_text(text)
    monkeypatch.setattr(module, "Path", lambda _: file)
    monkeypatch.setattr(platform, "processor", lambda: "as Python says")
    assert module._processor() == name


def test_each_version_is_that_of_its_library(facts, monkeypatch):
    versions = module.library_versions() | {"tfx": "a", "tensorflow": "b"}
    monkeypatch.setattr(module, "library_versions", lambda: versions)
    told = facts()["versions"]
    assert (told["tfx"], told["tensorflow"]) == ("a", "b")
    assert told["python"] == platform.python_version()


@pytest.mark.parametrize(
    "error", [FileNotFoundError("git"), subprocess.TimeoutExpired("git", 10)], ids=["none", "hangs"]
)
def test_a_run_goes_on_without_a_git_that_answers(facts, monkeypatch, error):
    def run(*_, **__):
        raise error

    monkeypatch.setattr(module.subprocess, "run", run)
    assert facts()["git"] is None


@pytest.mark.skipif(shutil.which("git") is None, reason="skipped: git is not installed")
def test_a_file_that_git_does_not_know_is_no_change(facts, tmp_path):
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    for words in (["init"], [*identity, "commit", "--allow-empty", "-m", "begin"]):
        subprocess.run(["git", *words], check=True, capture_output=True)
    (tmp_path / "runs").touch()
    assert facts()["git"]["dirty"] is False
