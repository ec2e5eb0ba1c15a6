"""The locked dependencies: of one piece, with hashes, and without the name of any package index."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_line

REPOSITORY = Path(__file__).parents[2]
LOCKS = sorted(REPOSITORY.joinpath("requirements").glob("*.txt"))


def entries(path: Path) -> dict[str, str]:
    """Requirement to what follows it, continuation lines joined, comments left out."""
    text = re.sub(r"^ *#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return {line.split()[0]: line for line in text.splitlines()}


def locked(name: str) -> dict[str, str]:
    """Package to version."""
    path = REPOSITORY / "requirements" / f"{name}.txt"
    return dict(requirement.split("==") for requirement in entries(path))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_package_has_one_version_and_hashes_and_no_host(path):
    for requirement, line in entries(path).items():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+", requirement), requirement
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), requirement
    assert "://" not in path.read_text()


def test_the_images_hold_what_is_tested():
    modern, cpu, gpu = locked("modern"), locked("image-cpu"), locked("image-gpu")
    assert not cpu.items() - modern.items()
    assert not cpu.items() - gpu.items()
    more = {name for name in gpu if name not in cpu}
    assert more
    assert all(name.startswith("nvidia-") for name in more)
    assert not cpu.keys() & {"pytest", "ruff", "pre-commit", "import-linter"}


@pytest.mark.parametrize(
    ("name", "tfx", "python"), [("compatible", "1.16", "3.10"), ("modern", "1.21", "3.11")]
)
def test_what_set_up_says_is_what_is_locked(name, tfx, python):
    assert locked(name)["tfx"].startswith(f"{tfx}.")
    script = REPOSITORY.joinpath("tools/set_up.sh").read_text()
    assert f"TFX {tfx} on Python {python}, the {name} line" in script


@pytest.mark.parametrize("name", ["compatible", "modern", "image-cpu", "image-gpu"])
def test_every_dependency_is_locked(name):
    text = REPOSITORY.joinpath("pyproject.toml").read_text()
    declared = text.partition("\ndependencies = [")[2].partition("\n]")[0]
    names = set(re.findall(r'^  "([a-z0-9-]+)', declared, re.MULTILINE))
    assert {"tfx", "kfp", "keras", "tensorboard"} <= names
    assert names <= locked(name).keys()
