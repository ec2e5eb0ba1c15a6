"""What the pages tell people to type is there: commands, options, settings, files."""

import itertools
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pydantic
import pytest
import typer

from pipeline.cli import app
from pipeline.config import RECIPES, Recipe, load_recipe, recipe_names

pytestmark = pytest.mark.one_line

ROOT = Path(__file__).parents[2]


def subcommands(command, name="") -> Iterator[tuple[str, object]]:
    if hasattr(command, "commands"):
        for word, inner in command.commands.items():
            yield from subcommands(inner, f"{name} {word}".strip())
    else:
        yield name, command


COMMANDS = dict(subcommands(typer.main.get_command(app)))


def known(words: list[str]) -> tuple[str, list[str]]:
    """The command that the words begin with, and the words after it."""
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in COMMANDS:
            return name, words[length:]
    raise AssertionError(f"no such command: graft {' '.join(words)}")


def test_the_command_line_knows_every_command_and_option(page):
    for words in page.commands("graft"):
        name, rest = known(words)
        options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
        assert {word for word in rest if word.startswith("-") and word != "-"} <= options, words


def test_every_recipe_that_a_command_names_comes_with_graft(page):
    takes_recipe = ("run", "validate", "lr-find", "compile", "doctor", "versions list")
    for words in page.commands("graft"):
        name, rest = known(words)
        if name in takes_recipe and rest and not rest[0].startswith("-"):
            placeholder = rest[0].strip("[]").isupper()
            assert placeholder or rest[0].endswith(".yaml") or rest[0] in recipe_names(), words


def test_every_setting_that_a_command_sets_can_be_set(page):
    for program in ("graft", r"python benchmarks/\w+\.py"):
        for words in page.commands(program):
            settings = [value for word, value in itertools.pairwise(words) if word == "--set"]
            load_recipe("digits", [s for s in settings if not s.endswith("=PATH")])
    for setting in re.findall(r"`--set ([a-z_.]+=[^`A-Z]+)`", page.text):
        load_recipe("digits", [setting])


def exists(annotation, keys: list[str]) -> bool:
    """Whether a key, split at its dots, stands for a setting; the keys of a mapping may be any."""
    if not keys:
        return True
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        # By the alias, where the key in a recipe is another one than the field.
        fields = {
            field.validation_alias or name: field for name, field in annotation.model_fields.items()
        }
        return keys[0] in fields and exists(fields[keys[0]].annotation, keys[1:])
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is dict:
        return exists(arguments[1], keys[1:])
    return any(exists(argument, keys) for argument in arguments)


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("training.unfrozen.early_stopping.patience", True),
        ("training.phases.epochs", True),
        ("backbone.weights", True),
        ("kubeflow.steps.Trainer.retries", True),
        ("kubeflow.steps.Trainer.tries", False),
        ("evaluation.proved_as_good.overall", True),
        ("backbone.weight", False),
        ("nowhere", False),
    ],
)
def test_the_search_for_settings_finds_them(key, answer):
    assert exists(Recipe, key.split(".")) is answer


def test_every_setting_that_is_named_exists(page):
    blocks = "|".join(Recipe.model_fields)
    code = " ".join(re.findall(r"`[^`\n]+`", page.text))
    named = re.findall(rf"(?<![\w./])((?:{blocks})(?:\.[a-zA-Z_][a-zA-Z0-9_]*)+)", code)
    for key in named:
        if not key.endswith((".py", ".yaml", ".png")):
            assert exists(Recipe, key.split(".")), key


def test_every_block_of_a_recipe_is_told(readme):
    told = set(
        re.findall(r"`(\w+)`", " ".join(row[0] for row in readme.rows("What can be chosen")))
    )
    assert told == set(Recipe.model_fields) - {"name", "seed", "workspace"}


def test_every_command_is_told(docs):
    told = [row[0].strip("`").split() for row in docs["commands"].rows("All of them")[1:]]
    assert sorted(known(words[1:])[0] for words in told) == sorted(COMMANDS)


def test_the_first_page_leads_to_every_other(readme, docs):
    links = set(re.findall(r"\]\(([^)#:]+)\)", readme.section("Pages")))
    assert {f"docs/{name}.md" for name in docs} <= links


def test_every_target_of_make_is_there(page):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    assert {words[0] for words in page.commands("make")} <= targets


def test_every_file_that_is_named_is_there(page):
    for link in re.findall(r"\]\(([^)#:]+)\)", page.text):
        assert (page.path.parent / link).exists(), link
    tops = "pipeline|components|kubeflow|schemas|docs|tests|benchmarks|requirements|tools"
    for name in re.findall(rf"(?<![\w/.-])((?:{tops})/[\w/.-]*\w)(?![\w:-])", page.text):
        assert (ROOT / name).exists() or (page.path.parent / name).exists(), name


@pytest.mark.parametrize("name", recipe_names())
def test_the_head_of_a_recipe_has_its_command(name):
    head = (RECIPES / f"{name}.yaml").read_text("utf-8").partition("\nname:")[0]
    (command,) = re.findall(r"^#   graft run (.*)$", head, re.MULTILINE)
    assert command.split()[0] == name


def test_the_changelog_lists_the_recipes():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert set(recipe_names()) <= set(re.findall(r"`([a-z_]+)`", text))
