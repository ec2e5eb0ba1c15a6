"""The image's Dockerfile: what can be told without building it."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_line

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = REPOSITORY / "kubeflow" / "Dockerfile"
BASE = "python:3.11@sha256:0"


@pytest.fixture
def reader(monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / "tools"))
    return importlib.import_module("dockerfile")


@pytest.fixture
def stages(reader):
    return reader.read_stages(DOCKERFILE.read_text(), {"BASE": BASE})


def of(stage, name: str) -> list[str]:
    return [i.text for i in stage.instructions if i.name == name]


def test_the_base_must_be_given(reader, stages):
    assert [stage.base for stage in stages] == [BASE, BASE]
    with pytest.raises(ValueError, match="BASE has no value"):
        reader.read_stages(DOCKERFILE.read_text(), {})


def test_the_last_stage_installs_nothing_and_takes_the_environment_whole(stages):
    build, last = stages
    assert any("apt-get install" in text for text in of(build, "RUN"))
    assert not re.search(r"apt|pip|g\+\+|curl|wget", " ".join(of(last, "RUN")))
    assert of(last, "COPY") == ["--from=build /opt/graft /opt/graft"]


def test_the_user_is_numeric_and_not_root(stages):
    (user,) = of(stages[-1], "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    after = stages[-1].instructions[[i.name for i in stages[-1].instructions].index("USER") :]
    assert not {"RUN", "COPY"} & {i.name for i in after}


def test_it_starts_graft_in_the_home_of_the_user_that_it_makes(reader, stages):
    last = stages[-1]
    assert of(last, "ENTRYPOINT") == ['["graft"]'] and of(last, "CMD") == ['["--help"]']
    runs, (user,) = " ".join(of(last, "RUN")), of(last, "USER")
    (uid,) = re.findall(r"--uid (\d+)", runs)
    (owner,) = re.findall(r"--owner=(\d+)", runs)
    assert uid == owner == user.partition(":")[0]
    env = reader.pairs(next(i for i in last.instructions if i.name == "ENV"), {})
    assert env["PATH"].startswith("/opt/graft/bin:/usr/local/bin:")
    assert [env["HOME"]] == of(last, "WORKDIR") == re.findall(r"--home-dir (\S+)", runs)
    assert env["USER"] in runs.split() and env["PYTHONUNBUFFERED"] == "1"


def test_every_package_is_copied(stages):
    text = (REPOSITORY / "pyproject.toml").read_text()
    (line,) = re.findall(r"^include = \[(.+)\]$", text, re.MULTILINE)
    packages = re.findall(r'"(\w+)\*"', line)
    assert len(packages) >= 3
    assert {f"{name} {name}" for name in packages} < set(of(stages[0], "COPY"))


def test_any_user_of_group_0_can_write_the_home(stages):
    """Some clusters give a container a UID of their own choice, always in that group."""
    (made,) = re.findall(r"install --directory (.+) /home/graft", " ".join(of(stages[-1], "RUN")))
    options = dict(option.removeprefix("--").split("=") for option in made.split())
    assert options["group"] == "0" and int(options["mode"], 8) & 0o070 == 0o070


def test_everything_installed_is_pinned_with_hashes(stages):
    installs = [
        part
        for text in of(stages[0], "RUN")
        for part in text.split("&&")
        if re.search(r"pip install", part)
    ]
    assert len(installs) == 3
    for text in installs:
        assert "--require-hashes" in text or "--no-deps --no-build-isolation ." in text
    for text in installs[1:]:
        assert "--compile-bytecode" in text


def test_no_secret_and_nothing_from_the_network_by_name(stages):
    for stage in stages:
        names = [i.text.partition("=")[0] for i in stage.instructions if i.name in ("ARG", "ENV")]
        assert not [n for n in names if re.search("TOKEN|SECRET|PASSWORD|KEY", n, re.IGNORECASE)]
    assert "://" not in DOCKERFILE.read_text()


@pytest.mark.parametrize("variant", ["cpu", "gpu"])
def test_each_variant_has_its_lock(stages, variant):
    assert f"requirements/image-{variant}.txt" in " ".join(of(stages[0], "COPY"))
    assert REPOSITORY.joinpath(f"requirements/image-{variant}.txt").is_file()


def test_labels_and_health_check(reader, stages):
    labels = next(i for i in stages[-1].instructions if i.name == "LABEL")
    found = reader.pairs(labels, {"VERSION": "1", "VARIANT": "gpu", "REVISION": "abc"})
    prefix = "org.opencontainers.image."
    assert found[f"{prefix}licenses"] == "Apache-2.0"
    assert found[f"{prefix}version"] == "1-gpu"
    assert found[f"{prefix}revision"] == "abc"
    check = next(i for i in stages[-1].instructions if i.name == "HEALTHCHECK")
    _, *arguments = reader.command(check)
    subprocess.run([sys.executable, *arguments], check=True)


def test_the_version_is_the_packages(stages):
    (version,) = re.findall(r'^version = "(.*)"', (REPOSITORY / "pyproject.toml").read_text(), re.M)
    assert f"VERSION={version}" in of(stages[-1], "ARG")


def test_the_context_holds_what_is_copied_and_nothing_else(reader, stages):
    ignores = reader.Ignore(REPOSITORY.joinpath(".dockerignore").read_text())
    copied = [word for text in of(stages[0], "COPY") for word in text.split()[:-1]]
    for name in copied:
        path = REPOSITORY / name
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        assert files, f"{name} is not there"
        for file in files:
            relative = file.relative_to(REPOSITORY).as_posix()
            assert ignores(relative) == (file.suffix == ".pyc"), relative
    for name in (
        ".git/config",
        ".env",
        "tests/conftest.py",
        "runs/digits/x",
        "kubeflow/Dockerfile",
    ):
        assert ignores(name), name
    assert ignores(".venv/bin/python") and ignores("benchmarks/compare_keras.py")
