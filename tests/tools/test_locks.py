"""The locked dependencies: of one piece, with hashes, and without the name of any package index."""

import re
from pathlib import Path

import pytest
from packaging.markers import Marker

pytestmark = pytest.mark.one_line

REPOSITORY = Path(__file__).parents[2]
LINUX = {"sys_platform": "linux", "platform_machine": "x86_64", "python_full_version": "3.11.9"}
MAC = {"sys_platform": "darwin", "platform_machine": "arm64"}
LOCKS = sorted(REPOSITORY.joinpath("requirements").glob("*.txt"))


def entries(path: Path) -> dict[str, str]:
    """Requirement to what follows it, continuation lines joined, comments left out."""
    text = re.sub(r"^ *#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return {line.split()[0]: line for line in text.splitlines()}


def locked(name: str, **machine: str) -> dict[str, str]:
    """Package to version, on a machine whose values of markers are given."""
    found = {}
    for requirement, line in entries(REPOSITORY / "requirements" / f"{name}.txt").items():
        marker = re.search(r"; (.*?) +--hash", line)
        if marker is None or Marker(marker[1]).evaluate({**LINUX, **machine}):
            package, _, version = requirement.partition("==")
            assert package not in found, package
            found[package] = version
    return found


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_package_has_one_version_and_hashes_and_no_host(path):
    for requirement, line in entries(path).items():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+", requirement), requirement
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), requirement
    assert "://" not in path.read_text()


@pytest.mark.parametrize("python", ["3.11.9", "3.12.4", "3.13.0"])
@pytest.mark.parametrize("machine", [LINUX, MAC], ids=["Linux", "Mac"])
def test_the_modern_line_is_locked_for_each_machine_that_it_is_for(machine, python):
    found = locked("modern", **{**machine, "python_full_version": python})
    assert found["tfx"] == "1.21.0" and found["tensorflow"] == "2.21.0"
    assert len(found) > 250


def test_other_machines_get_nothing_rather_than_half():
    assert locked("modern", platform_machine="aarch64") == {}
    assert locked("modern", python_full_version="3.14.0") == {}


def test_the_images_hold_what_is_tested():
    modern, cpu, gpu = locked("modern"), locked("image-cpu"), locked("image-gpu")
    assert not cpu.items() - modern.items()
    assert not cpu.items() - gpu.items()
    more = {name for name in gpu if name not in cpu}
    assert more
    assert all(name.startswith("nvidia-") for name in more)
    assert not cpu.keys() & {"pytest", "ruff", "pre-commit", "import-linter"}


@pytest.mark.parametrize(("name", "tfx"), [("compatible", "1.16"), ("modern", "1.21")])
def test_what_set_up_says_is_what_is_locked(name, tfx):
    assert locked(name)["tfx"].startswith(f"{tfx}.")
    script = REPOSITORY.joinpath("tools/set_up.sh").read_text()
    assert f"TFX {tfx} on Python $version, the {name} line" in script


@pytest.mark.parametrize("name", ["compatible", "modern", "image-cpu", "image-gpu"])
def test_every_dependency_is_locked(name):
    text = REPOSITORY.joinpath("pyproject.toml").read_text()
    declared = text.partition("\ndependencies = [")[2].partition("\n]")[0]
    names = set(re.findall(r'^  "([a-z0-9-]+)', declared, re.MULTILINE))
    assert {"tfx", "kfp", "keras", "tensorboard"} <= names
    assert names <= locked(name).keys()
