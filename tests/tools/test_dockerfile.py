"""Reading a Dockerfile and a .dockerignore, as the replay does."""

import importlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_line

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def dockerfile(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("dockerfile")


def test_continuation_lines_are_joined_and_comments_left_out(dockerfile):
    text = "# a comment\n\nRUN one \\\n    # between\n    && two \\\n    && three\nUSER 1:1\n"
    assert [(i.line, i.name, i.text) for i in dockerfile.read_instructions(text)] == [
        (3, "RUN", "one && two && three"),
        (7, "USER", "1:1"),
    ]


@pytest.mark.parametrize("line", ["ADD a b", "VOLUME /x", "RUN <<EOF", "NONSENSE"])
def test_what_is_not_known_is_an_error_with_its_line(dockerfile, line):
    with pytest.raises(ValueError, match=r"line 2: .* is not known here"):
        dockerfile.read_stages(f"FROM x\n{line}\n", {})


def test_stages_have_their_base_from_the_arguments(dockerfile):
    text = (
        "ARG BASE\nARG TAG=1\nFROM ${BASE} AS build\nRUN a\nFROM name:$TAG\nCOPY --from=build a b\n"
    )
    build, last = dockerfile.read_stages(text, {"BASE": "root", "OTHER": "x"})
    assert (build.base, build.name, len(build.instructions)) == ("root", "build", 1)
    assert (last.base, last.name) == ("name:1", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ARG BASE\nFROM ${BASE}\n", "line 2: BASE has no value"),
        ("ARG BASE=\nFROM ${BASE}\n", "line 2: FROM .* has no base"),
        ("RUN a\nFROM x\n", "line 1: RUN before the first FROM"),
        ("ARG X=1\n", "there is no FROM"),
        ("FROM ${X:-y}\n", "line 1: .* in this form is not known"),
    ],
)
def test_a_base_that_cannot_be_told_is_an_error(dockerfile, text, says):
    with pytest.raises(ValueError, match=says):
        dockerfile.read_stages(text, {})


def read(dockerfile, line: str):
    (instruction,) = dockerfile.read_instructions(line)
    return instruction


def test_arguments_take_the_value_given_then_the_default(dockerfile):
    line = read(dockerfile, "ARG VARIANT=cpu")
    assert dockerfile.argument(line, {}, {}) == {"VARIANT": "cpu"}
    assert dockerfile.argument(line, {"VARIANT": "gpu"}, {}) == {"VARIANT": "gpu"}
    assert dockerfile.argument(read(dockerfile, "ARG X"), {}, {}) == {}


def test_pairs_keep_quoted_spaces_and_get_their_variables(dockerfile):
    line = read(dockerfile, 'LABEL a="two words" \\\n  b=${V}-x c=\n')
    assert dockerfile.pairs(line, {"V": "1"}) == {"a": "two words", "b": "1-x", "c": ""}
    with pytest.raises(ValueError, match="ENV takes name=value"):
        dockerfile.pairs(read(dockerfile, "ENV A b"), {})


def test_commands_are_lists(dockerfile):
    health = read(dockerfile, 'HEALTHCHECK --interval=1m CMD ["python", "-c", "import x"]')
    assert dockerfile.command(health) == ["python", "-c", "import x"]
    with pytest.raises(ValueError, match="CMD takes a JSON list"):
        dockerfile.command(read(dockerfile, "CMD graft --help"))


@pytest.mark.parametrize(
    ("patterns", "kept", "ignored"),
    [
        (["*", "!pipeline"], ["pipeline/a.py", "pipeline/x/b"], ["README.md", "other/pipeline/a"]),
        (["*", "!pipeline", "**/__pycache__"], ["pipeline/a"], ["pipeline/x/__pycache__/a.pyc"]),
        (["*", "!requirements/*.txt"], ["requirements/a.txt"], ["requirements/x/a.txt", "a.txt"]),
        (["**/*.pyc"], ["a.py"], ["a.pyc", "x/y/a.pyc"]),
        (["*.md", "!README.md"], ["README.md", "x/a.md"], ["a.md"]),
        (["# comment", "", ".git"], [".gitignore", "a"], [".git/config"]),
    ],
)
def test_the_last_pattern_that_matches_decides(dockerfile, patterns, kept, ignored):
    ignores = dockerfile.Ignore("\n".join(patterns))
    assert [ignores(path) for path in kept] == [False] * len(kept)
    assert [ignores(path) for path in ignored] == [True] * len(ignored)


def test_a_name_may_be_small_and_a_comment_may_follow_another(dockerfile):
    text = "from x\nrun one \\\n# a\n  # b\n two\n"
    assert [(i.line, i.name, i.text) for i in dockerfile.read_instructions(text)] == [
        (1, "FROM", "x"), (2, "RUN", "one two")
    ]  # fmt: skip


def test_a_variable_that_is_escaped_stays_and_a_default_may_have_one(dockerfile):
    line = read(dockerfile, r"ENV A=\$V B=$V C=${V}x")
    assert dockerfile.replace_variables(line, {"V": "1", "Vx": "2"}) == "A=$V B=1 C=1x"
    assert dockerfile.argument(read(dockerfile, "ARG X=$V-1"), {}, {"V": "a"}) == {"X": "a-1"}
    text = "ARG A=1\nARG B=${A}2\nFROM x:${B}\n"
    assert dockerfile.read_stages(text, {})[0].base == "x:12"


@pytest.mark.parametrize("line", ["FROM --platform=x y z", "FROM x AS", "FROM x y"])
def test_a_form_of_from_that_is_not_known_is_an_error(dockerfile, line):
    with pytest.raises(ValueError, match=r"line 1: FROM .* has no base"):
        dockerfile.read_stages(f"{line}\n", {})


def test_a_sign_for_one_letter_is_no_folder(dockerfile):
    ignores = dockerfile.Ignore("a?c\n/top/\n")
    assert [ignores(path) for path in ("abc", "a/c", "abbc", "top/x", "in/top/x")] == [
        True, False, False, True, False
    ]  # fmt: skip
