"""The check of the locks, with a stand-in for uv: what it tells, and where nobody answers."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_line

REPOSITORY = Path(__file__).parents[2]
# Writes what the lock holds already; `names.txt` and `-` have no lock to begin with.
UV = """#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" = --output-file ] && out=$2; last=$1; shift; done
case "$out" in
    */probe) {probe} ;;
    */index.txt) printf '%s==1 \\\\\\n    --hash=sha256:{index}\\n' package >"$out" ;;
    */modern.txt) {modern} ;;
esac
"""


@pytest.fixture
def check(tmp_path):
    """`check(…)` runs it in a copy of the scripts, whose locks hold one package each."""
    (tmp_path / "requirements").mkdir()
    shutil.copytree(REPOSITORY / "tools", tmp_path / "tools", ignore=lambda *_: ["__pycache__"])
    for name in ("compatible", "modern", "image-cpu", "image-gpu", "build", "uv"):
        lock = tmp_path / "requirements" / f"{name}.txt"
        lock.write_text("package==1 \\\n    --hash=sha256:aaa\n")

    def check(probe="true", modern="true", index="aaa", uv=True) -> subprocess.CompletedProcess:
        if uv:
            script = UV.format(probe=probe, modern=modern, index=index)
            (tmp_path / "uv").write_text(script)
            (tmp_path / "uv").chmod(0o755)
        return subprocess.run(
            [tmp_path / "tools" / "check_locks.sh", tmp_path / "uv"],
            env={**os.environ, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    return check


def test_locks_that_are_what_the_dependencies_resolve_to_pass(check):
    result = check(probe='touch "$out"')
    assert result.returncode == 0, result.stderr
    assert result.stdout == (
        "locks: 6 files are what pyproject.toml resolves to, with hashes that the index has\n"
    )


def test_a_lock_that_was_left_behind_fails(check):
    result = check(probe='touch "$out"', modern='echo other==2 >>"$out"')
    assert result.returncode == 1
    assert "+other==2" in result.stdout
    assert "requirements/modern.txt is not what pyproject.toml resolves to: run make lock" in (
        result.stderr
    )


def test_dependencies_that_do_not_resolve_fail(check):
    result = check(probe='touch "$out"', modern="echo no solution >&2; exit 1")
    assert result.returncode == 1 and "no solution" in result.stderr
    assert "cannot be resolved with what is pinned" in result.stderr


def test_files_that_the_index_has_no_longer_fail(check):
    result = check(probe='touch "$out"', index="bbb")
    assert result.returncode == 1
    assert "the index has other files than when it was locked: package==1 sha256:aaa" in (
        result.stderr
    )


def test_without_an_index_or_uv_it_says_why_and_passes(check):
    result = check(probe="echo error: no route to host >&2; exit 2")
    assert (result.returncode, result.stdout) == (
        0,
        "locks: skipped: no package index answers: error: no route to host\n",
    )


def test_without_uv_too(check):
    result = check(uv=False)
    assert result.returncode == 0
    assert result.stdout.startswith("locks: skipped: there is no uv")
