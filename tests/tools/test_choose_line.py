"""Which line of TFX a machine gets. Machines are a folder of stand-ins that is all of PATH."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_line

CHOOSE_LINE = Path(__file__).parents[2] / "tools" / "choose_line.sh"
# What the scripts call of a real machine.
NEEDED = ("cat", "chmod", "dirname", "head", "ls", "sort")


class Machine:
    """A folder of commands, and how it answers."""

    def __init__(self, folder: Path, glibc: str):
        self.folder = folder
        folder.mkdir()
        for name in NEEDED:
            (folder / name).symlink_to(shutil.which(name))
        self.command("getconf", f"echo 'glibc {glibc}'" if glibc else "exit 1")

    def command(self, name: str, script: str) -> Path:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def python(self, version: str, name: str = "") -> Path:
        """An interpreter: a piece of Python asks it for its version, and it says yes to one."""
        answer = f"""case "$2" in *"'{version}'"*) exit 0 ;; *) exit 1 ;; esac"""
        return self.command(name or f"python{version}", answer)

    def choose(self, **variables: str) -> subprocess.CompletedProcess:
        home = self.folder.parent / "home"
        environment = {"PATH": str(self.folder), "HOME": str(home), **variables}
        return subprocess.run(
            [CHOOSE_LINE], env=environment, capture_output=True, text=True, check=False
        )

    def chosen(self, **variables: str) -> tuple[str, str, str]:
        result = self.choose(**variables)
        assert result.returncode == 0, result.stderr
        line, python, why = result.stdout.splitlines()
        return line, os.path.relpath(python, self.folder), why

    def refused(self, **variables: str) -> str:
        result = self.choose(**variables)
        assert result.returncode == 1
        assert result.stdout == ""
        (message,) = result.stderr.splitlines()
        return message


@pytest.fixture
def machine(tmp_path):
    return lambda glibc, *versions: _machine(tmp_path / "machine", glibc, versions)


def _machine(folder: Path, glibc: str, versions: tuple[str, ...]) -> Machine:
    machine = Machine(folder, glibc)
    for version in versions:
        machine.python(version)
    return machine


@pytest.mark.parametrize("glibc", ["2.39", "2.41", "2.100", "3.0"])
def test_the_modern_line_goes_first_where_it_can_be_had(machine, glibc):
    line, python, why = machine(glibc, "3.10", "3.11").chosen()
    assert (line, python) == ("modern", "python3.11")
    assert why == f"glibc {glibc} and Python 3.11 are here"


@pytest.mark.parametrize("glibc", ["2.17", "2.36", "2.38", "2.4"])
def test_an_older_glibc_has_the_compatible_line(machine, glibc):
    line, python, why = machine(glibc, "3.10", "3.11").chosen()
    assert (line, python) == ("compatible", "python3.10")
    assert why == f"glibc {glibc} is older than 2.39, which the modern line needs"


def test_without_python_3_11_there_is_the_compatible_line(machine):
    assert machine("2.41", "3.10").chosen() == (
        "compatible",
        "python3.10",
        "no Python 3.11 was found",
    )


def test_pyenvs_versions_are_found_and_the_newest_is_taken(machine, tmp_path):
    it = machine("2.41")
    for version in ("3.11.7", "3.11.12"):
        folder = tmp_path / "pyenv" / "versions" / version / "bin"
        folder.mkdir(parents=True)
        shutil.move(it.python("3.11"), folder / "python")
    line, python, _ = it.chosen(PYENV_ROOT=str(tmp_path / "pyenv"))
    assert line == "modern"
    assert python == "../pyenv/versions/3.11.12/bin/python"


def test_a_folder_with_a_space_in_its_name_is_no_trouble(machine, tmp_path):
    it = machine("2.36")
    folder = tmp_path / "my pythons"
    folder.mkdir()
    shutil.move(it.python("3.10"), folder / "python")
    assert it.chosen(GRAFT_PYTHON=str(folder / "python"))[:2] == (
        "compatible",
        "../my pythons/python",
    )


def test_the_python_asked_for_is_taken(machine):
    it = machine("2.41", "3.11")
    mine = it.python("3.10", "mine")
    assert it.chosen(GRAFT_PYTHON=str(mine)) == (
        "compatible",
        "mine",
        "GRAFT_PYTHON is Python 3.10",
    )


def test_python_3_11_asked_for_on_an_older_glibc_is_refused(machine):
    it = machine("2.36", "3.10")
    mine = it.python("3.11", "mine")
    message = it.refused(GRAFT_PYTHON=str(mine))
    assert "GRAFT_PYTHON is Python 3.11" in message
    assert "needs glibc 2.39 and this is glibc 2.36" in message


def test_what_is_asked_for_is_never_replaced_by_another(machine):
    it = machine("2.41", "3.10", "3.11")
    assert "GRAFT_PYTHON=/no/python is no working Python" in it.refused(GRAFT_PYTHON="/no/python")
    other = it.python("3.13", "mine")
    assert "is no working Python 3.10" in it.refused(GRAFT_PYTHON=str(other))


@pytest.mark.parametrize(("glibc", "wanted"), [("2.36", "3.10"), ("2.41", "3.11")])
def test_without_any_python_the_message_names_the_one_to_install(machine, glibc, wanted):
    message = machine(glibc, "3.12").refused()
    assert f"needs Python {wanted} and found none" in message
    assert "GRAFT_PYTHON" in message


def test_python_3_11_alone_on_an_older_glibc_is_not_enough(machine):
    assert "needs Python 3.10 and found none" in machine("2.36", "3.11").refused()


@pytest.mark.parametrize(
    ("glibc", "line", "version"), [("2.36", "compatible", "3.10"), ("2.41", "modern", "3.11")]
)
def test_uv_brings_the_python_that_fits(machine, glibc, line, version):
    it = machine(glibc)
    source = it.python(version, "brought")
    it.command(
        "uv",
        f"""case "$*" in
        "python install -q {version}") : >"{it.folder}/installed" ;;
        "python find {version}") [ -e "{it.folder}/installed" ] && echo "{source}" ;;
        *) exit 1 ;;
        esac""",
    )
    assert it.chosen()[:2] == (line, "brought")


def test_other_systems_are_refused(machine):
    assert "needs Linux with glibc" in machine("", "3.10", "3.11").refused()
