"""The commands that build the image, which are printed: for names that stay alone."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_line

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def image(tmp_path):
    """`image(NAME)` runs it in a copy of the scripts and locks, where it writes."""
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for folder in ("tools", "requirements"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=lambda *_: ["__pycache__"])

    def image(name: str) -> subprocess.CompletedProcess:
        command = [tmp_path / "tools" / "image.sh", name, "cpu"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return image


@pytest.mark.parametrize("name", ["graft:1", "localhost:5000/team/graft:1"])
def test_the_last_line_names_the_image_by_its_digest(image, tmp_path, name):
    result = image(name)
    assert result.returncode == 0, result.stderr
    assert f"docker push {name}\n" in result.stdout
    assert result.stdout.endswith(f"kubeflow.image: {name.removesuffix(':1')}@sha256:…\n")
    assert (tmp_path / "build" / "image-cpu.cdx.json").stat().st_size


@pytest.mark.parametrize("name", ["graft", "localhost:5000/graft"])
def test_a_name_without_a_tag_is_refused_the_port_of_a_registry_is_none(image, tmp_path, name):
    result = image(name)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"IMAGE={name}: give it a tag that stays, as ")
    assert not (tmp_path / "build").exists()
