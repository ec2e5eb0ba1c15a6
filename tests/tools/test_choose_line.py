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

    def __init__(self, folder: Path, glibc: str, system: str = "Linux x86_64"):
        self.folder = folder
        folder.mkdir()
        for name in NEEDED:
            (folder / name).symlink_to(shutil.which(name))
        self.command("getconf", f"echo 'glibc {glibc}'" if glibc else "exit 1")
        name, kind = system.split()
        self.command("uname", f'[ "$1" = -s ] && echo {name} || echo {kind}')

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
    def machine(glibc: str, *versions: str, system: str = "Linux x86_64") -> Machine:
        made = Machine(tmp_path / "machine", glibc, system)
        for version in versions:
            made.python(version)
        return made

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


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_a_python_that_graft_was_never_run_with_comes_last_and_is_told(machine, version):
    it = machine("2.41", version)
    line, python, why = it.chosen()
    assert (line, python) == ("modern", f"python{version}")
    assert why == (
        f"glibc 2.41 and Python {version} are here. It resolves there, but was never run"
    )
    it.python("3.10")
    assert it.chosen()[0] == "compatible"
    it.python("3.11")
    assert it.chosen() == ("modern", "python3.11", "glibc 2.41 and Python 3.11 are here")


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_a_mac_with_apple_silicon_has_the_modern_line_and_is_told(machine, version):
    line, python, why = machine("", version, "3.10", system="Darwin arm64").chosen()
    assert (line, python) == ("modern", f"python{version}")
    assert why.startswith(f"Apple silicon and Python {version} are here. It resolves there, but")


@pytest.mark.parametrize(
    "system", ["Darwin x86_64", "Linux aarch64", "Linux i686", "FreeBSD amd64"]
)
def test_for_other_machines_tfx_has_no_wheels(machine, system):
    message = machine("2.41", "3.10", "3.11", system=system).refused()
    assert f"and this is {system}: TFX has no wheels for it" in message


def test_python_3_10_on_a_mac_is_refused(machine):
    it = machine("", "3.11", system="Darwin arm64")
    mine = it.python("3.10", "mine")
    assert "no wheels on a Mac; name a Python 3.11" in it.refused(GRAFT_PYTHON=str(mine))


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


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_a_newer_python_asked_for_on_an_older_glibc_is_refused(machine, version):
    it = machine("2.36", "3.10")
    mine = it.python(version, "mine")
    message = it.refused(GRAFT_PYTHON=str(mine))
    assert f"GRAFT_PYTHON is Python {version}" in message
    assert "needs glibc 2.39 and this is glibc 2.36" in message


def test_what_is_asked_for_is_never_replaced_by_another(machine):
    it = machine("2.41", "3.10", "3.11")
    assert "GRAFT_PYTHON=/no/python is no working Python" in it.refused(GRAFT_PYTHON="/no/python")
    other = it.python("3.14", "mine")
    assert "is no working Python 3.10" in it.refused(GRAFT_PYTHON=str(other))


@pytest.mark.parametrize(("glibc", "wanted"), [("2.36", "3.10"), ("2.41", "3.11")])
def test_without_any_python_the_message_names_the_one_to_install(machine, glibc, wanted):
    message = machine(glibc, "3.14").refused()
    assert f"needs Python {wanted} and found none" in message
    assert "GRAFT_PYTHON" in message


def test_python_3_11_alone_on_an_older_glibc_is_not_enough(machine):
    assert "needs Python 3.10 and found none" in machine("2.36", "3.11").refused()


@pytest.mark.parametrize(
    ("system", "glibc", "line", "version"),
    [
        ("Linux x86_64", "2.36", "compatible", "3.10"),
        ("Linux x86_64", "2.41", "modern", "3.11"),
        ("Darwin arm64", "", "modern", "3.11"),
    ],
)
def test_uv_brings_the_python_that_fits(machine, system, glibc, line, version):
    it = machine(glibc, system=system)
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
