"""The replay of a Dockerfile, with its commands written down instead of run."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.one_line

TOOLS = Path(__file__).parents[2] / "tools"
DOCKERFILE = """\
ARG BASE
FROM ${BASE} AS build
ARG VARIANT=cpu
WORKDIR /build
COPY one.txt locks/lock-${VARIANT}.txt locks/
COPY package package
RUN make it && \\
    done
FROM ${BASE}
ARG VARIANT=cpu
LABEL version="1-${VARIANT}"
COPY --from=build /build/package /opt/package
ENV PATH=/opt:/bin HOME=/home
WORKDIR /home
USER 7:8
CMD ["--help"]
"""


@pytest.fixture
def replay(monkeypatch, tmp_path):
    """Replays a Dockerfile in a small context; gives its stages and the commands that ran."""
    monkeypatch.syspath_prepend(str(TOOLS))
    module = importlib.import_module("replay_dockerfile")
    context, folder = tmp_path / "context", tmp_path / "folder"
    for name in (
        "one.txt",
        "locks/lock-cpu.txt",
        "package/a.py",
        "package/in/b.py",
        "package/c.pyc",
    ):
        context.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        context.joinpath(name).write_text(name)
    context.joinpath(".dockerignore").write_text("**/*.pyc\n")
    folder.joinpath("base").mkdir(parents=True)
    folder.joinpath("base/os-release").write_text("13")
    commands = []

    def run(image, words, extra=None):
        commands.append((image.root.name, image.user, words, extra))
        return 1 if "fail" in words[-1] else 0

    monkeypatch.setattr(module.Image, "run", run)
    monkeypatch.setattr(module, "_REPOSITORY", context)
    monkeypatch.setattr(module, "_DOCKERFILE", context / "Dockerfile")

    def replay(text, **build_args):
        context.joinpath("Dockerfile").write_text(text)
        return module.Replay(folder, build_args).build(), commands

    return replay


def files(root: Path) -> dict[str, str]:
    return {p.relative_to(root).as_posix(): p.read_text() for p in root.rglob("*") if p.is_file()}


def test_stages_hold_what_is_copied_and_the_last_one_is_the_image(replay):
    (build, image), commands = replay(DOCKERFILE)
    assert files(build.root) == {
        "os-release": "13",
        "build/locks/one.txt": "one.txt",
        "build/locks/lock-cpu.txt": "locks/lock-cpu.txt",
        "build/package/a.py": "package/a.py",
        "build/package/in/b.py": "package/in/b.py",
    }
    assert set(files(image.root)) == {"os-release", "opt/package/a.py", "opt/package/in/b.py"}
    assert commands == [("0", "0:0", ["/bin/sh", "-c", "make it && done"], {"VARIANT": "cpu"})]
    assert (image.user, image.folder) == ("7:8", "/home")
    assert image.environment == {"PATH": "/opt:/bin", "HOME": "/home"}
    assert image.labels == {"version": "1-cpu"}
    assert image.commands == {"CMD": ["--help"]}
    assert build.user == "0:0"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("RUN fail", "line 2: RUN ended with exit code 1"),
        ("USER graft", "line 2: USER is not numeric"),
        ("COPY gone.txt .", "line 2: there is no gone.txt in the context"),
        ("COPY package/c.pyc .", "line 2: there is no package/c.pyc in the context"),
        ("COPY --chown=1:1 one.txt .", "line 2: COPY --chown=1:1 is not known here"),
        ("FROM debian", "debian is neither BASE nor an earlier stage"),
    ],
)
def test_what_cannot_be_carried_out_is_told_with_its_line(replay, line, says):
    with pytest.raises(ValueError, match=says):
        replay(f"FROM base\n{line}\n")


def test_an_argument_given_takes_the_place_of_its_default(replay):
    with pytest.raises(ValueError, match=r"there is no locks/lock-gpu\.txt"):
        replay(DOCKERFILE, VARIANT="gpu")


def test_what_is_there_is_not_built_over(replay):
    replay("FROM base\n")
    with pytest.raises(ValueError, match="is there already"):
        replay("FROM base\n")


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("replay_dockerfile")


def test_a_command_runs_as_the_user_in_the_folder_with_the_environment(module, monkeypatch):
    ran = []

    def run(words, env, check):
        ran.append((words[1:], env["AS"], env["IN"]))
        return SimpleNamespace(returncode=3)

    monkeypatch.setattr(module.subprocess, "run", run)
    image = module.Image(Path("/r"), {"A": "1", "B": "2"}, "7:8", "/home")
    assert image.run(["graft", "run"], {"B": "3"}) == 3
    assert ran == [(["run", "/r", "env", "A=1", "B=3", "graft", "run"], "7:8", "/home")]


@pytest.mark.parametrize(
    ("fails", "code", "ran"),
    [
        ("", 0, ["health", "entry --help", "graft run"]),
        ("health", 4, ["health"]),
        ("entry --help", 4, ["health", "entry --help"]),
        ("graft run", 4, ["health", "entry --help", "graft run"]),
    ],
)
def test_the_first_command_that_fails_says_how_it_ends(
    module, monkeypatch, tmp_path, fails, code, ran
):
    commands, given = [], []

    def run(image, words, extra=None):
        commands.append(" ".join(words))
        return 4 if commands[-1] == fails else 0

    words = {"HEALTHCHECK": ["health"], "ENTRYPOINT": ["entry"], "CMD": ["--help"]}
    image = module.Image(tmp_path, commands=words)

    def replay(folder, build_args):
        given.append((folder, build_args))
        return SimpleNamespace(build=lambda: [module.Image(tmp_path), image])

    monkeypatch.setattr(module, "Replay", replay)
    monkeypatch.setattr(module.Image, "run", run)
    arguments = ["x", str(tmp_path), "--build-arg", "VARIANT=gpu", "--build-arg", "A=b=c"]
    monkeypatch.setattr(module.sys, "argv", [*arguments, "--", "graft", "run"])
    assert module.main() == code and commands == ran
    assert given == [(tmp_path, {"VARIANT": "gpu", "A": "b=c"})]


def test_what_cannot_be_built_is_one_line(module, monkeypatch, tmp_path, capsys):
    def build():
        raise ValueError("line 2: USER is not numeric")

    monkeypatch.setattr(module, "Replay", lambda *_: SimpleNamespace(build=build))
    monkeypatch.setattr(module.sys, "argv", ["x", str(tmp_path)])
    assert module.main() == 1
    assert capsys.readouterr().err == "kubeflow/Dockerfile: line 2: USER is not numeric\n"


def test_several_files_go_into_a_folder_and_one_may_get_another_name(replay):
    (image,), _ = replay("FROM base\nCOPY one.txt locks/lock-cpu.txt /in/\nCOPY one.txt /two.txt\n")
    assert set(files(image.root)) == {"os-release", "in/one.txt", "in/lock-cpu.txt", "two.txt"}
